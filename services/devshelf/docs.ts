import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Routes } from '../common/routes.ts';

/** Nothing of another host, no inline script. Swagger UI writes style attributes and draws with data: images. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>DevShelf API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript. The document it shows: <a href="/openapi.json">/openapi.json</a></noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

const START = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  presets: [SwaggerUIBundle.presets.apis],
  deepLinking: true,
  validatorUrl: null,
});
`;

/** Beside the bundle in the image (test-e2e/cluster/build.ts), among the packages in a checkout. */
const fromPackage = (file: string) => readFile(createRequire(import.meta.url).resolve(`swagger-ui-dist/${file}`));

type Asset = { readonly type: string; readonly content: () => Promise<Buffer> };

const ASSETS: Readonly<Record<string, Asset>> = {
  '/docs': { type: 'text/html; charset=utf-8', content: async () => Buffer.from(PAGE) },
  '/docs/start.js': { type: 'text/javascript; charset=utf-8', content: async () => Buffer.from(START) },
  '/docs/swagger-ui-bundle.js': {
    type: 'text/javascript; charset=utf-8',
    content: () => fromPackage('swagger-ui-bundle.js'),
  },
  '/docs/swagger-ui.css': { type: 'text/css; charset=utf-8', content: () => fromPackage('swagger-ui.css') },
};

/** GET /openapi.json, and GET /docs that shows it with Swagger UI from our own files. */
export function serveDocs(app: FastifyInstance, routes: Routes, assets = ASSETS): void {
  let text: string | undefined;
  app.get('/openapi.json', async (_request, reply) => {
    // at the first request, so that no start waits for it
    text ??= JSON.stringify(routes.document());
    return reply.type('application/json').send(text);
  });
  for (const [path, asset] of Object.entries(assets)) {
    app.get(path, (request, reply) => sendAsset(asset, request, reply));
  }
}

const compress = promisify(gzip);

/** Compressing takes longer than everything else here together, so its result is kept once somebody asked. */
const compressed = new WeakMap<Asset, Promise<Buffer>>();

function compressedOf(asset: Asset): Promise<Buffer> {
  const known = compressed.get(asset);
  if (known) return known;
  const content = asset.content().then(buffer => compress(buffer));
  compressed.set(asset, content);
  content.catch(() => compressed.delete(asset));
  return content;
}

async function sendAsset(asset: Asset, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const accepted = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  // before its headers: an error must not carry them
  const content = await (accepted ? compressedOf(asset) : asset.content());
  if (accepted) reply.header('Content-Encoding', 'gzip');
  return reply
    .type(asset.type)
    .header('Content-Security-Policy', CONTENT_SECURITY_POLICY)
    .header('Cache-Control', 'public, max-age=3600')
    .header('Vary', 'Accept-Encoding')
    .send(content);
}
