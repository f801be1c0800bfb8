const MAX_LENGTH = 255;
/** HTML says: an encoding is declared within the first 1,024 bytes. */
const DECLARATION_BYTES = 1_024;

/**
 * The text of a page's <title>, or undefined. `body` may be cut anywhere. Takes time in proportion to the length of
 * `body`, whatever is in it.
 */
export function titleOf(body: Uint8Array, contentType: string): string | undefined {
  const raw = rawTitle(decode(body, contentType));
  return raw === undefined ? undefined : tidy(decodeEntities(raw)) || undefined;
}

/** Is the title already in there? Then nobody has to read on. */
export const endsTitle = (chunk: Uint8Array): boolean => /<\/title/i.test(Buffer.from(chunk).toString('latin1'));

/** Byte order mark, header, declaration in the page, in this order; otherwise UTF-8. */
function decode(body: Uint8Array, contentType: string): string {
  const declaration = Buffer.from(body.subarray(0, DECLARATION_BYTES)).toString('latin1');
  const labels = [
    byteOrderMark(body),
    /charset\s*=\s*["']?([\w:-]+)/i.exec(contentType)?.[1],
    /<meta\s[^>]{0,200}?charset\s*=\s*["']?\s*([\w:-]+)/i.exec(declaration)?.[1],
    'utf-8',
  ];
  const decoder = labels.map(decoderFor).find(found => found !== undefined) ?? new TextDecoder();
  return decoder.decode(body);
}

function byteOrderMark([first, second]: Uint8Array): string | undefined {
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  return first === 0xff && second === 0xfe ? 'utf-16le' : undefined;
}

function decoderFor(label: string | undefined): InstanceType<typeof TextDecoder> | undefined {
  if (label === undefined) return undefined;
  try {
    return new TextDecoder(label);
  } catch {
    return undefined; // a name that nobody knows
  }
}

/** What is between these is not markup. */
const OPAQUE = [
  ['<!--', '-->'],
  ['<script', '</script'],
  ['<style', '</style'],
] as const;

/** Jumps from `<` to `<`; no expression that could backtrack over a hostile page. */
function rawTitle(html: string): string | undefined {
  const lower = html.replace(/[A-Z]+/g, letters => letters.toLowerCase());
  let at = lower.indexOf('<');
  while (at !== -1) {
    if (/^<title[\s>]/.test(lower.slice(at, at + 7))) return between(html, lower, at);
    if (lower.startsWith('<body', at) || lower.startsWith('<svg', at)) return undefined;
    const close = OPAQUE.find(([open]) => lower.startsWith(open, at))?.[1];
    const from = close === undefined ? at : lower.indexOf(close, at);
    if (from === -1) return undefined;
    at = lower.indexOf('<', from + 1);
  }
  return undefined;
}

function between(html: string, lower: string, open: number): string | undefined {
  const begin = lower.indexOf('>', open);
  const end = lower.indexOf('</title', begin);
  return begin === -1 || end === -1 ? undefined : html.slice(begin + 1, end);
}

const ENTITIES: Readonly<Record<string, string>> = Object.fromEntries(
  (
    `amp=& lt=< gt=> quot=" apos=' nbsp=\u00a0 copy=© reg=® trade=™ hellip=… ndash=– mdash=— lsquo=‘ rsquo=’ ldquo=“ ` +
    'rdquo=” laquo=« raquo=» bull=• middot=· euro=€ deg=° iexcl=¡ iquest=¿ aacute=á eacute=é iacute=í oacute=ó ' +
    'uacute=ú Aacute=Á Eacute=É Iacute=Í Oacute=Ó Uacute=Ú ntilde=ñ Ntilde=Ñ uuml=ü Uuml=Ü auml=ä Auml=Ä ouml=ö ' +
    'Ouml=Ö szlig=ß agrave=à egrave=è ugrave=ù acirc=â ecirc=ê icirc=î ocirc=ô ucirc=û ccedil=ç Ccedil=Ç'
  )
    .split(' ')
    .map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
);

function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|(\w{1,10}));/g, (whole, decimal, hexadecimal, name) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    return character(decimal === undefined ? Number.parseInt(hexadecimal, 16) : Number(decimal));
  });
}

/** Numbers that name no character become the replacement character, as in browsers. */
function character(code: number): string {
  const valid = code > 0 && code <= 0x10_ffff && (code < 0xd800 || code > 0xdfff);
  return valid ? String.fromCodePoint(code) : '\ufffd';
}

/** One line of visible text: a title must not turn the direction of what stands beside it. */
function tidy(text: string): string {
  const visible = text
    .replace(/[\p{Cc}\u2028\u2029\u00a0]+/gu, ' ')
    .replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '');
  return Array.from(visible.replace(/ +/g, ' ').trim()).slice(0, MAX_LENGTH).join('').trim();
}
