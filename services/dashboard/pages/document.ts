import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';

const COMPRESSIONS = {
  br: (text: Buffer) => promisify(brotliCompress)(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }),
  gzip: (text: Buffer) => promisify(gzip)(text),
} as const;

type Encoding = keyof typeof COMPRESSIONS;

/** A text that many ask for: hashed once, compressed once for each encoding that somebody wants. */
export type Document = {
  readonly type: string;
  readonly etag: string;
  readonly text: Buffer;
  readonly compressed: Map<Encoding, Promise<Buffer>>;
};

export function documentOf(type: string, text: string): Document {
  // weak, because the compressed forms share it
  const etag = `W/"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
  return { type, etag, text: Buffer.from(text), compressed: new Map() };
}

/** 304 where the browser has it already; else the text, in the best encoding that the browser takes. */
export async function sendDocument(request: FastifyRequest, reply: FastifyReply, document: Document) {
  reply.header('ETag', document.etag).header('Vary', 'Accept-Encoding');
  if (matches(request.headers['if-none-match'], document.etag)) return reply.code(304).send();
  reply.type(document.type);
  const encoding = preferred(request.headers['accept-encoding']);
  if (encoding === undefined) return reply.send(document.text);
  return reply.header('Content-Encoding', encoding).send(await compressed(document, encoding));
}

const matches = (header: string | undefined, etag: string): boolean =>
  (header ?? '').split(',').some(tag => tag.trim() === etag);

/** An encoding is refused with q=0; other weights make no difference to us. */
function preferred(header: string | undefined): Encoding | undefined {
  const accepted = (header ?? '').split(',').map(entry => entry.trim().toLowerCase());
  const takes = (name: string) =>
    accepted.some(entry => entry === name || (entry.startsWith(`${name};`) && !/;\s*q=0(\.0*)?$/.test(entry)));
  return (['br', 'gzip'] as const).find(takes);
}

function compressed(document: Document, encoding: Encoding): Promise<Buffer> {
  const known = document.compressed.get(encoding);
  if (known !== undefined) return known;
  const made = COMPRESSIONS[encoding](document.text);
  document.compressed.set(encoding, made);
  return made;
}
