// PURE: text into lines that fit.

export type Terminal = { readonly width: number; readonly colour: boolean; readonly unicode: boolean };

const SHORTEST = 20;
export const roomOf = ({ width }: Pick<Terminal, 'width'>): number => Math.max(width, SHORTEST);

/** The middle of what is too long is left out: beginnings and ends tell names apart. */
export function cut(line: string, terminal: Terminal): string {
  const room = roomOf(terminal);
  if (line.length <= room) return line;
  const gap = terminal.unicode ? '…' : '..';
  const left = Math.ceil((room - gap.length) / 2);
  return `${line.slice(0, left)}${gap}${line.slice(line.length - (room - gap.length - left))}`;
}

/** At spaces; every line but the first begins with `indent`. */
export function wrap(text: string, terminal: Pick<Terminal, 'width'>, indent = ''): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= roomOf(terminal)) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else if (word !== '') lines.push(lines.length === 0 ? word : `${indent}${word}`);
  }
  return lines;
}

/** The text behind `head`, its further lines below its first. */
export function hang(head: string, text: string, terminal: Pick<Terminal, 'width'>): string[] {
  const lines = wrap(text, { width: roomOf(terminal) - head.length });
  return (lines.length > 0 ? lines : ['']).map((line, i) =>
    `${i === 0 ? head : ' '.repeat(head.length)}${line}`.trimEnd(),
  );
}

/** `5.0 %` */
export const share = (requests: number, errors: number): string =>
  requests === 0 ? '-' : `${((100 * errors) / requests).toFixed(1)} %`;

/** `2 h 5 min`, `4 min 10 s`, `9 s`: two units at most. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3_600), Math.floor(seconds / 60)];
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

/** The tag of an image, or the end of its digest. */
export function versionOf(image: string): string {
  const [, digest] = image.split('@sha256:');
  if (digest !== undefined) return digest.slice(0, 12);
  return /:([^:/]+)$/.exec(image)?.[1] ?? image;
}
