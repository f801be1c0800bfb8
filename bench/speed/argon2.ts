// The limit of /token: argon2id with the services' cost on the libuv pool, as many at once as there are cores, for so
// many seconds. Prints how many a second.
import { argon2 } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';

const seconds = Number(process.argv[2] ?? 2);
const derive = promisify(argon2);
const cost = {
  message: 'for-the-bench',
  nonce: Buffer.alloc(16, 1),
  tagLength: 32,
  memory: 19_456,
  passes: 2,
  parallelism: 1,
};

let hashes = 0;
const begun = performance.now();
const elapsedSeconds = () => (performance.now() - begun) / 1_000;
const worker = async () => {
  while (elapsedSeconds() < seconds) {
    await derive('argon2id', cost);
    hashes += 1;
  }
};
await Promise.all(Array.from({ length: availableParallelism() }, worker));
console.log(hashes / elapsedSeconds());
