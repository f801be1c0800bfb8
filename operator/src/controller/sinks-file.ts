// The file of sinks, as it is mounted from a Secret: read at the start, and again when it changed. What cannot be used
// is refused at the start; later the sinks that were there stay, and the log says what is wrong.
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { parseSinks, type Sinks } from '../lifecycle/messages/sinks.ts';

export class SinksRefused extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('; '));
    this.faults = faults;
  }
}

export interface SinkSource {
  readonly current: Sinks;
  onChange(listener: () => void): void;
}

const MAX_BYTES = 256 * 1_024;
/** The kubelet brings a changed Secret within a minute or so. */
const REREAD_MS = 10_000;

/** @throws SinksRefused with every fault, in which no value is that may be a secret */
export async function readSinks(text: string): Promise<Sinks> {
  const parsed = parseSinks(await contentOf(text));
  if (!parsed.ok) throw new SinksRefused(parsed.faults);
  return parsed.sinks;
}

/** The chart writes JSON, people write YAML, and who writes JSON does not pay for a parser of YAML. */
async function contentOf(text: string): Promise<unknown> {
  try {
    return JSON.parse(text);
  } catch {
    // its words quote what it was given
  }
  const { parseDocument } = await import('./sinks-yaml.ts');
  const document = parseDocument(text);
  const [fault] = document.errors;
  if (!fault) return document.toJS({ maxAliasCount: 0 });
  throw new SinksRefused([`line ${fault.linePos?.[0].line ?? 1}: this is no YAML (${fault.code})`]);
}

export class SinksFile implements SinkSource {
  readonly #path: string;
  readonly #log: Logger;
  readonly #listeners = new Set<() => void>();
  #text: string;
  #current: Sinks;

  /** @throws SinksRefused */
  static async open(path: string, log: Logger): Promise<SinksFile> {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw new SinksRefused([`it cannot be read (${error.code ?? 'unknown'}): mount a Secret there, or leave it out`]);
    });
    if (Buffer.byteLength(text) > MAX_BYTES) throw new SinksRefused([`it is longer than ${MAX_BYTES} bytes`]);
    return new SinksFile(path, text, await readSinks(text), log);
  }

  private constructor(path: string, text: string, current: Sinks, log: Logger) {
    this.#path = path;
    this.#text = text;
    this.#current = current;
    this.#log = log;
  }

  get current(): Sinks {
    return this.#current;
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Until the process ends; keeps no process alive. */
  watch(everyMs = REREAD_MS): void {
    setInterval(() => void this.reread(), everyMs).unref();
  }

  async reread(): Promise<void> {
    // while it is being replaced it is not there
    const text = await readFile(this.#path, 'utf8').catch(() => this.#text);
    if (text === this.#text) return;
    this.#text = text;
    try {
      this.#current = await readSinks(text);
    } catch (error) {
      const faults = error instanceof SinksRefused ? error.faults : ['it cannot be read'];
      this.#log.error({ faults }, 'the changed file of sinks cannot be used: messages go to the sinks of before');
      return;
    }
    this.#log.info({ sinks: this.#current.sinks.map(({ name }) => name) }, 'the file of sinks has changed');
    for (const listener of this.#listeners) listener();
  }
}
