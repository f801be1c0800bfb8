// Imported first. V8 makes machine code of what runs often, in two compilers of which the first is quick and the second
// thorough. Both take memory from malloc, a megabyte at a time, and leave it in pieces. A process that mostly waits is
// well served by the baseline code; what runs a hundred thousand times, in an operator of very many resources, is still
// compiled. (At 600 settled resources 14 MiB less; a burst of new ones takes a fifth more processor time. docs/speed.md)
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-maglev');
setFlagsFromString('--invocation-count-for-turbofan=100000');
setFlagsFromString('--invocation-count-for-osr=10000');
