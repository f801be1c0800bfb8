// Texts that are alike, kept small. Ten thousand resources, and each kind of their children, say nearly the same; what
// one of them has in common with an earlier one, or with itself, is kept as the place where that stands. This is LZ77
// with a dictionary that was there before (https://www.rfc-editor.org/rfc/rfc1951, without its codes for symbols), for
// pieces of some hundred characters: with zlib each would need a handle, and memory from malloc.
//
// Packed: characters as they are, and copies: NUL, the place in two characters, the length in one. JSON has no NUL, so
// none stands for itself. Places below `OWN` are in the dictionary, the others in the text itself.

const COPY = '\0';
/** A copy takes four characters; found is what has as many in common as the hash is of. */
const LEAST = 8;
/** In one character, so that a string keeps one byte for each. */
const MOST = 255;
const OWN = 0x8000;
/** Of the dictionary. What is beyond it is kept as it is. */
const MAX_DICTIONARY = 0x6000;
const SLOTS = 0x1000;

/** Where a hash was seen last in the text that is being packed, plus one. */
const own = new Uint16Array(SLOTS);

const slotOf = (hash: number): number => (hash ^ (hash >>> 4)) & (SLOTS - 1);
/** After `LEAST` characters nothing is left of one. */
const rolled = (hash: number, code: number): number => ((hash << 2) ^ code) & 0xffff;

function hashAt(text: string, at: number): number {
  let hash = 0;
  for (let index = at; index < at + LEAST; index++) hash = rolled(hash, text.charCodeAt(index));
  return hash;
}

function lengthInCommon(one: string, from: number, text: string, at: number): number {
  const most = Math.min(one.length - from, text.length - at, MOST);
  let length = 0;
  while (length < most && one.charCodeAt(from + length) === text.charCodeAt(at + length)) length++;
  return length;
}

/** Whether anything in it stands elsewhere; if not, it is what it was before it was packed. */
export const isPacked = (text: string): boolean => text.includes(COPY);

export class Alike {
  #dictionary = '';
  /** Where a hash stands in the dictionary, plus one. */
  #places: Uint16Array | undefined;

  /** @param text JSON */
  pack(text: string): string {
    const pieces: string[] = [];
    let inDictionary = 0;
    let [from, at] = [0, 0];
    let hash = hashAt(text, 0);
    // what follows a difference follows it in the other text, too
    let next = -1;
    own.fill(0);
    while (at + LEAST <= text.length) {
      const { place, length } = this.#longest(text, at, hash, next);
      if (length < LEAST) {
        if (at < OWN) own[slotOf(hash)] = at + 1;
        hash = rolled(hash, text.charCodeAt(at + LEAST));
        at += 1;
        if (next >= 0) next += 1;
        continue;
      }
      pieces.push(text.slice(from, at), COPY, String.fromCharCode(place >>> 8, place & 0xff, length));
      at += length;
      from = at;
      next = place < OWN ? place + length : -1;
      if (place < OWN) inDictionary += length;
      hash = hashAt(text, at);
    }
    pieces.push(text.slice(from));
    if (inDictionary < text.length / 2) this.#learn(text);
    // joined, it is one string; added up, it would keep the text that its pieces are of
    return pieces.join('');
  }

  read(packed: string): string {
    let text = '';
    let from = 0;
    for (let at = packed.indexOf(COPY); at >= 0; at = packed.indexOf(COPY, from)) {
      const place = (packed.charCodeAt(at + 1) << 8) | packed.charCodeAt(at + 2);
      const length = packed.charCodeAt(at + 3);
      text += packed.slice(from, at);
      const [source, start] = place < OWN ? [this.#dictionary, place] : [text, place - OWN];
      text += source.slice(start, start + length);
      from = at + 4;
    }
    return text + packed.slice(from);
  }

  #longest(text: string, at: number, hash: number, next: number): { place: number; length: number } {
    let [place, length] = [0, 0];
    if (next >= 0) [place, length] = [next, lengthInCommon(this.#dictionary, next, text, at)];
    const slot = slotOf(hash);
    const known = (this.#places?.[slot] ?? 0) - 1;
    if (known >= 0 && known !== next) {
      const common = lengthInCommon(this.#dictionary, known, text, at);
      if (common > length) [place, length] = [known, common];
    }
    const mine = (own[slot] ?? 0) - 1;
    if (mine >= 0 && length < LEAST) {
      // what it copies is there before it
      const common = Math.min(lengthInCommon(text, mine, text, at), at - mine);
      if (common > length) [place, length] = [OWN + mine, common];
    }
    return { place, length };
  }

  /** What is like nothing before it is what others may be like. */
  #learn(text: string): void {
    const start = this.#dictionary.length;
    if (start + text.length > MAX_DICTIONARY) return;
    this.#dictionary = [this.#dictionary, text].join('');
    this.#places ??= new Uint16Array(SLOTS);
    for (let at = start; at + LEAST <= this.#dictionary.length; at++) {
      const slot = slotOf(hashAt(this.#dictionary, at));
      if (this.#places[slot] === 0) this.#places[slot] = at + 1;
    }
  }
}
