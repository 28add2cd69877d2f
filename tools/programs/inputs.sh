#!/bin/sh
# SPDX-License-Identifier: MIT
# inputs.sh FOLDER: makes the files that the commands of `list` work on.
set -eu
cd "$1"
LC_ALL=C
export LC_ALL

awk 'BEGIN { s = 1; for (i = 0; i < 20000; i++) { s = (s * 69069 + 12345) % 4294967296; print int(s / 5), i } }' >lines
awk 'BEGIN { for (i = 1; i <= 60; i++) print i ": the quick brown fox jumps over the lazy dog, and " i * i " more;" }' >text
sed -e 's/fox/cat/' -e 7d text >text2
awk 'BEGIN { print "P3 160 120 255"; for (y = 0; y < 120; y++) for (x = 0; x < 160; x++)
	print (x * 3) % 256, (x * y) % 256, (y * 5) % 256 }' >picture.txt
awk 'BEGIN { print "["; for (i = 0; i < 3000; i++) printf "%s{\"a\": %d, \"b\": \"x%d\"}\n", i ? "," : "", i, i; print "]" }' \
	>numbers.json
awk 'BEGIN { print "create table t(a integer primary key, b text);"; print "begin;"
	for (i = 0; i < 3000; i++) printf "insert into t values(%d, \"%d\");\n", i, i * 7919 % 3001
	print "commit; select count(distinct b), sum(a) from t; select * from t order by b limit 5;" }' >x.sql
awk 'BEGIN { # 160 x 120, each byte as the format has it
	printf "P6 160 120 255\n"; for (y = 0; y < 120; y++) for (x = 0; x < 160; x++)
	printf "%c%c%c", 1 + (x * 3) % 127, 1 + (x * y) % 127, 1 + (y * 5) % 127 }' >picture.ppm
rm picture.txt
mkdir -p tree/a/b tree/c
for i in 1 2 3 4 5; do cp text "tree/a/text$i"; cp text2 "tree/a/b/other$i"; echo "int x$i;" >"tree/c/x$i.c"; done

cat >x.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

int main(void)
{
	static char text[2000][8];

	for (int i = 0; i < 2000; i++)
		snprintf(text[i], sizeof(text[i]), "%d", i * 7919 % 2003);
	qsort(text, 2000, 8, by_text);
	puts(text[1000]);
	return 0;
}
END
cat >float.c <<'END'
#include <math.h>
#include <stdio.h>

int main(void)
{
	static double a[1000], b[1000];
	double sum = 0;

	for (int k = 0; k < 100; k++)
		for (int i = 0; i < 1000; i++) {
			a[i] = a[i] * 0.5 + i * k;
			b[i] += sqrt(a[i]) + (a[i] > 3 ? 1 : 2);
		}
	for (int i = 0; i < 1000; i++)
		sum += b[i];
	printf("%.17g\n", sum);
	return 0;
}
END
cat >x.cc <<'END'
#include <algorithm>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

int main()
{
	std::map<std::string, int> m;
	std::vector<int> v;

	for (int i = 0; i < 3000; i++) {
		m[std::to_string(i % 101)] += i;
		v.push_back(i * 7919 % 3001);
	}
	std::sort(v.begin(), v.end());
	try {
		v.at(5000);
	} catch (const std::out_of_range &) {
		std::cout << m["7"] << ' ' << v[1500] << '\n';
	}
}
END
cat >x.f90 <<'END'
program x
  integer :: i
  real(8) :: s = 0
  do i = 1, 100000
    s = s + sqrt(real(i, 8))
  end do
  print *, s
end program
END
cat >x_ada.adb <<'END'
with Ada.Text_IO;
procedure X_Ada is
   S : Integer := 0;
begin
   for I in 1 .. 10_000 loop
      S := S + I mod 7;
   end loop;
   Ada.Text_IO.Put_Line (Integer'Image (S));
   S := Integer'Value ("no number");
exception
   when Constraint_Error => Ada.Text_IO.Put_Line ("caught");
end X_Ada;
END
printf "program x;\nvar i, s: longint;\nbegin\n s := 0;\n for i := 1 to 10000 do s := s + i mod 7;\n writeln(s)\nend.\n" >x.pas
printf 'let () = Printf.printf "%%d\\n" (List.fold_left (+) 0 (List.init 1000 (fun i -> i)))\n' >x.ml
printf 'package main\n\nimport "fmt"\n\nfunc main() {\n\tc := make(chan int)\n\tgo func() { c <- 42 }()\n\tfmt.Println(<-c)\n}\n' >x.go
cat >hello.s <<'END'
	.globl _start
_start:	mov $1, %eax
	mov $1, %edi
	lea text(%rip), %rsi
	mov $6, %edx
	syscall
	mov $60, %eax
	xor %edi, %edi
	syscall
text:	.ascii "hello\n"
END
cat >hello.asm <<'END'
	global _start
	section .text
_start:	mov eax, 1
	mov edi, 1
	mov rsi, text
	mov edx, 6
	syscall
	mov eax, 60
	xor edi, edi
	syscall
	section .data
text:	db "hello", 10
END
printf '%%option noyywrap\n%%%%\n[a-z]+ printf("w");\n%%%%\nint main(void) { return yylex(); }\n' >words.l
printf '%%token NUM\n%%left 43\n%%%%\nsum: NUM | sum 43 sum;\n%%%%\n' >sums.y
printf 'int f(const char *YYCURSOR) { /*!re2c re2c:define:YYCTYPE = char; re2c:yyfill:enable = 0; [a-z]+ { return 1; } * { return 0; } */ }\n' >words.re
printf '%%%%{ machine words; main := ( [a-z]+ [ \\n] )*; write data; }%%%%\n' >words.rl
printf 'jan\nfeb\nmar\napr\nmay\n' >words.gperf
cat >makefile <<'END'
all: a b c d
	cat a b c d >all
a b c d:
	expr 6 '*' 7 >$@
END
printf 'rule cat\n  command = cat $in >$out\nrule sum\n  command = cksum $in >$out\nbuild a: sum text\nbuild b: sum lines\nbuild all: cat a b\n' >build.ninja
mkdir project
cp x.c project/x.c
printf 'cmake_minimum_required(VERSION 3.13)\nproject(x C)\nadd_executable(x x.c)\n' >project/CMakeLists.txt
cat >script.sh <<'END'
i=0
while [ $i -lt 300 ]; do
	i=$((i + 1))
done
f() { echo "f $1"; return 3; }
f "$(echo sub | tr a-z A-Z)" || echo "status $?"
for word in b c a; do echo $word; done | sort | while read -r w; do echo "<$w>"; done
(exit 4)
echo $i $?
trap 'echo trapped' TERM
kill -TERM $$
sleep 0.01 &
wait $!
cat <<EOF
here $i
EOF
END
printf 'local t = {}\nfor i = 1, 20000 do t[i %% 101] = (t[i %% 101] or 0) + i end\nprint(t[7], string.rep("x", 10), #t)\n' >x.lua
printf 'var s = 0, a = [];\nfor (var i = 0; i < 5000; i++) { a[i %% 101] = i; s += i; }\nprint(s + " " + a.length);\n' >x.js
printf 'set s 0\nfor {set i 0} {$i < 5000} {incr i} {incr s $i}\nputs $s\n' >x.tcl
printf 's = 0\ndo i = 1 to 2000\n  s = s + i\nend\nsay s\n' >x.rexx
printf 'BEGIN INT s := 0; FOR i TO 1000 DO s +:= i OD; print((s, new line)) END\n' >x.a68
printf 's = 0\nfor i = 1 to 1000\n s = s + i\nnext i\nprint s\n' >x.bas
printf '(declare-const a Int)(declare-const b Int)(assert (= (+ a b) 10))(assert (> a 7))(assert (> b 1))(check-sat)(get-model)\n' >x.smt2
printf 'p cnf 3 3\n1 -2 0\n2 3 0\n-1 -3 0\n' >x.cnf
printf 'var x >= 0;\nvar y >= 0;\nmaximize z: 3 * x + 2 * y;\ns.t. a: x + y <= 4;\ns.t. b: x + 3 * y <= 6;\nsolve;\ndisplay x, y;\nend;\n' >x.mod
printf '.TH X 1\n.SH NAME\nx \\- a page\n.SH DESCRIPTION\nThe \\fBquick\\fP brown fox jumps over the lazy dog.\n' >page.1
printf '<!DOCTYPE html><html><head><title>t</title></head><body><h1>H</h1><p>A <b>bold</b> word</p><ul><li>one<li>two</ul></body></html>\n' >page.html
awk 'BEGIN { print "<a>"; for (i = 0; i < 200; i++) print "<b n=\"" i "\">" i * i "</b>"; print "</a>" }' >page.xml
cat >page.xsl <<'END'
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:value-of select="sum(//b)"/><xsl:text>&#10;</xsl:text></xsl:template>
</xsl:stylesheet>
END
printf '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><circle cx="32" cy="32" r="20" fill="red"/></svg>\n' >page.svg
printf '%%!PS\n/Courier findfont 20 scalefont setfont 72 600 moveto (quire) show showpage\n' >page.ps
cat >page.pdf <<'END'
%PDF-1.4
1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj
2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj
3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>> endobj
4 0 obj <</Length 38>> stream
BT /F 20 Tf 20 100 Td (quire) Tj ET
endstream endobj
5 0 obj <</Type/Font/Subtype/Type1/BaseFont/Courier>> endobj
trailer <</Root 1 0 R/Size 6>>
END
cat >x.rs <<'END'
use std::collections::BTreeMap;

fn main() {
    let mut m = BTreeMap::new();
    for i in 0..5000u64 {
        *m.entry(i * 7919 % 101).or_insert(0) += i;
    }
    let threads: Vec<_> =
        (0..4).map(|k| std::thread::spawn(move || (0..1000u64).map(|x| x * k).sum::<u64>())).collect();
    println!("{} {:?}", m[&7], threads.into_iter().map(|t| t.join().unwrap()).collect::<Vec<_>>());
    println!("{}", std::panic::catch_unwind(|| Vec::<i32>::new()[m.len()]).is_err());
}
END
cat >x.cs <<'END'
using System;
using System.Linq;

class X {
	static void Main() {
		var a = Enumerable.Range(0, 5000).Select(i => i * 7919 % 5003).OrderBy(i => i).ToArray();
		Console.WriteLine(a[10]);
		try {
			object o = null;
			o.ToString();
		} catch (NullReferenceException) {
			Console.WriteLine("caught");
		}
	}
}
END
printf 'import qualified Data.Map as M\nmain = print (take 5 (M.toList (M.fromListWith (+) [(i `mod` 97, i) | i <- [1 .. 20000 :: Int]])))\n' >x.hs
printf 'import std.stdio, std.algorithm, std.range;\nvoid main() { auto a = iota(1000).map!(x => x * 7919 %% 1009).array; a.sort(); writeln(a[7], a.sum); }\n' >x.d
printf 'Require Import Arith. Theorem t : forall n m : nat, n + m = m + n. Proof. intros. ring. Qed. Print t.\n' >x.v
printf '(let loop ((i 0) (s 0)) (if (= i 100000) (begin (display s) (newline)) (loop (+ i 1) (+ s (* i i)))))\n' >x.ss
find . -exec touch -h -d @1000000000 {} +
