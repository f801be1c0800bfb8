const NEWLINE = 0x0a;

/**
 * Cuts a stream of bytes into lines. Lines are decoded whole, so a character that spans two chunks survives,
 * and a long line in many chunks is joined once.
 */
export class LineSplitter {
  #pending: Uint8Array[] = [];

  /** The lines that end in this chunk, without the empty ones. */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const line = this.#take(chunk.subarray(start, end));
      if (line !== '') lines.push(line);
      start = end + 1;
    }
    if (start < chunk.length) this.#pending.push(chunk.subarray(start));
    return lines;
  }

  /** Bytes after the last line end: not zero at the end of a stream means that it was cut. */
  get pendingBytes(): number {
    return this.#pending.reduce((sum, part) => sum + part.length, 0);
  }

  #take(last: Uint8Array): string {
    const bytes = this.#pending.length === 0 ? last : Buffer.concat([...this.#pending, last]);
    this.#pending = [];
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8').trim();
  }
}
