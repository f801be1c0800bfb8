// Whole objects that are kept and seldom read. Ten thousand resources say nearly the same: against the first of them as
// the dictionary of a deflate, each is a twentieth of its JSON, and is read again within some tens of microseconds.
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';

/**
 * Small tables: with the usual ones each call would take 268 KB from malloc. Of a dictionary only what fits into the
 * window counts. What has nothing in common with it is packed as well, only less small.
 */
const TABLES = { windowBits: 14, memLevel: 5 };

const WINDOW = 2 ** TABLES.windowBits;

/** In one piece: what zlib fetches otherwise, 16 KiB each time, is most of its work here. */
const optionsFor = (length: number, dictionary: Buffer) => ({
  ...TABLES,
  dictionary,
  chunkSize: Math.max(constants.Z_MIN_CHUNK, length),
});

/** A value as JSON, packed. */
export class Packed {
  /** One byte a character: a Buffer of its own would take more than what is in it. */
  readonly #bytes: string;
  readonly #length: number;
  readonly #dictionary: Buffer;

  constructor(text: Buffer, dictionary: Buffer) {
    this.#bytes = deflateRawSync(text, optionsFor(text.length, dictionary)).toString('latin1');
    this.#length = text.length;
    this.#dictionary = dictionary;
  }

  /** Another copy each time. */
  read(): unknown {
    const bytes = Buffer.from(this.#bytes, 'latin1');
    return JSON.parse(inflateRawSync(bytes, optionsFor(this.#length, this.#dictionary)).toString());
  }

  get bytes(): number {
    return this.#bytes.length;
  }
}

export class Alike {
  #first: Buffer | undefined;

  pack(value: unknown): Packed {
    const text = Buffer.from(JSON.stringify(value));
    this.#first ??= Buffer.from(text.subarray(-WINDOW));
    return new Packed(text, this.#first);
  }
}
