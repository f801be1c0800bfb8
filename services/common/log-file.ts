import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { filesToDelete, type Rotation, rolloverAfter, suffixOf } from './log-rotation.ts';

export type LogFileOptions = {
  readonly directory: string;
  readonly name: string;
  readonly rotation: Rotation;
  /** how many rolled-over files stay; 0 keeps all */
  readonly keep: number;
  /** told once when the file cannot be written any more, and once when it can again */
  readonly onTrouble: (message: string) => void;
  readonly now?: () => Date;
};

export type LogFile = { write(line: string): void; close(): void };

const RETRY_MS = 10_000;

/**
 * Appends lines to `<directory>/<name>` and rolls it over to `<name>.<date>`. A disk that is full, read-only or gone
 * costs lines of this file, never a request: it is tried again every ten seconds.
 */
export function openLogFile(options: LogFileOptions): LogFile {
  const { now = () => new Date(), onTrouble } = options;
  let open: { readonly fd: number; readonly rollover: Date } | undefined;
  let retryAt = 0;
  let troubled = false;

  const close = () => {
    if (open !== undefined) closeSync(open.fd);
    open = undefined;
  };
  const fail = (error: unknown) => {
    if (!troubled) onTrouble(`the log file cannot be written: ${error instanceof Error ? error.message : error}`);
    troubled = true;
    retryAt = now().getTime() + RETRY_MS;
    try {
      close();
    } catch {
      open = undefined; // closing reports what could not be written, which is known by now
    }
  };
  const append = (line: string) => {
    const at = now();
    if (open !== undefined && at >= open.rollover) {
      const { rollover } = open;
      close();
      rollOver(options, rollover);
    }
    open ??= openFor(options, at);
    writeSync(open.fd, line);
    if (troubled) onTrouble('the log file is written again');
    troubled = false;
  };

  return {
    write: line => {
      if (troubled && now().getTime() < retryAt) return;
      try {
        append(line);
      } catch (error) {
        fail(error);
      }
    },
    close,
  };
}

/** What an earlier process left from before the last rollover is rolled over first. */
function openFor(options: LogFileOptions, at: Date): { readonly fd: number; readonly rollover: Date } {
  const path = join(options.directory, options.name);
  mkdirSync(options.directory, { recursive: true });
  const fd = openSync(path, 'a');
  const { size, mtime } = fstatSync(fd);
  const rollover = rolloverAfter(options.rotation, size > 0 ? mtime : at);
  if (at < rollover) return { fd, rollover };
  closeSync(fd);
  rollOver(options, rollover);
  return { fd: openSync(path, 'a'), rollover: rolloverAfter(options.rotation, at) };
}

/** Where the old file has its name already, another process that writes the same file was first. */
function rollOver({ directory, name, rotation, keep }: LogFileOptions, rollover: Date): void {
  const old = join(directory, `${name}.${suffixOf(rotation, rollover)}`);
  if (!existsSync(old)) renameSync(join(directory, name), old);
  for (const file of filesToDelete(readdirSync(directory), name, keep)) unlinkSync(join(directory, file));
}
