import { type SpawnOptions, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';

/** A command that could not be run or did not end with 0; the message carries the end of what it printed. */
export class CommandFailed extends Error {
  readonly code = 'COMMAND_FAILED';
}

export type RunOptions = Pick<SpawnOptions, 'cwd' | 'env'> & {
  readonly input?: string;
  /** Is given every line of the standard error output as it comes. */
  readonly onErrorLine?: (line: string) => void;
};

const lastLines = (printed: string, count: number): string => printed.trimEnd().split('\n').slice(-count).join('\n');

/** Runs a command to its end and returns its standard output. Throws `CommandFailed` otherwise. */
export const run = async (
  command: readonly string[],
  { input, onErrorLine, ...options }: RunOptions = {},
): Promise<string> => {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => {}); // a program that does not read its input may close it
  child.stdin.end(input ?? '');
  if (onErrorLine) createInterface(child.stderr).on('line', onErrorLine);
  const ended = new Promise<string>(resolve => {
    child.once('error', error => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? '' : (signal ?? `exit code ${code}`)));
  });
  const [output, errors, failure] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (failure === '') return output;
  throw new CommandFailed(`${command.join(' ')}: ${failure}\n${lastLines(errors || output, 20)}`);
};

/** Whether the command ends with 0. */
export const succeeds = (command: readonly string[]): Promise<boolean> =>
  run(command).then(
    () => true,
    () => false,
  );

export const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));
