import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { type Document, documentOf, sendDocument } from './document.ts';
import { icon, script, style } from './generated/assets.ts';

const IMMUTABLE = 'public, max-age=31536000, immutable';

type Asset = { readonly file: RegExp; readonly name: string; readonly document: Document };

/** The name holds the content's hash: what a browser has once it never asks for again. */
function asset(base: string, extension: string, type: string, text: string): Asset {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 12);
  return {
    file: new RegExp(`^${base}-[0-9a-f]{12}\\.${extension}$`),
    name: `${base}-${hash}.${extension}`,
    document: documentOf(type, text),
  };
}

const SCRIPT = asset('dashboard', 'js', 'text/javascript; charset=utf-8', script);
const STYLE = asset('dashboard', 'css', 'text/css; charset=utf-8', style);
const ICON = asset('icon', 'svg', 'image/svg+xml', icon);
const ASSETS = [SCRIPT, STYLE, ICON];

const pathOf = ({ name }: Asset) => `/static/${name}`;
export const assetPaths = { script: pathOf(SCRIPT), style: pathOf(STYLE), icon: pathOf(ICON) };

/**
 * GET /static/*: the pages' own files, from memory. While two versions run side by side, a page of one asks the other
 * for its files: any hash is answered with this version's file, but only our own may be kept.
 */
export function serveAssets(app: FastifyInstance): void {
  app.get<{ Params: { file: string } }>('/static/:file', async (request, reply) => {
    const { file } = request.params;
    const found = ASSETS.find(candidate => candidate.file.test(file));
    if (found === undefined) return reply.callNotFound();
    reply.header('Cache-Control', file === found.name ? IMMUTABLE : 'no-cache');
    return sendDocument(request, reply, found.document);
  });
}
