ƒ
"serve*2.15.0p

nLoopx`
,

f
nAddx*

fR
h
nRelux
0

f
nConstantx
nIfx*
ftext