// Imported first. V8 makes machine code of what runs often, in two compilers of which the first is quick and the second
// thorough. Both take memory from malloc, a megabyte at a time, and leave it in pieces; the code of the compilers
// themselves is 6 MiB of the program that need not be in memory. A process that mostly waits is well served by the
// baseline code; what runs a hundred thousand times, in an operator of very many resources, is still compiled.
// (At 600 resources: 15 MiB less, and no more processor time. docs/speed.md)
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-maglev');
setFlagsFromString('--invocation-count-for-turbofan=100000');
setFlagsFromString('--invocation-count-for-osr=10000');
