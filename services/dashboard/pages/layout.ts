import { assetPaths } from './assets.ts';
import { moment } from './format.ts';
import { type Html, html } from './html.ts';

const SECTIONS = [
  { path: '/', name: 'Resumen' },
  { path: '/providers', name: 'Proveedores' },
  { path: '/analytics', name: 'Analítica' },
] as const;

export type PagePath = (typeof SECTIONS)[number]['path'];

export type Page = {
  /** which entry of the navigation this is; none for an error */
  readonly path?: PagePath;
  readonly title: string;
  /** when the figures were read */
  readonly readAt?: Date;
  readonly body: Html;
};

/** The frame of every page, in Spanish like its users. Nothing is inline: the content security policy forbids it. */
export function renderPage({ path, title, readAt, body }: Page): string {
  const entry = (section: (typeof SECTIONS)[number]) => html`
          <li><a href="${section.path}"${section.path === path && html` aria-current="page"`}>${section.name}</a></li>`;
  return html`<!doctype html>
<html lang="es-AR">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="robots" content="noindex">
    <title>${title} · Mini Market</title>
    <link rel="icon" type="image/svg+xml" href="${assetPaths.icon}">
    <link rel="stylesheet" href="${assetPaths.style}">
    <script type="module" src="${assetPaths.script}"></script>
  </head>
  <body>
    <a class="skip" href="#main">Saltar al contenido</a>
    <header class="top">
      <div>
        <p class="brand">Mini Market</p>
        <nav aria-label="Secciones"><ul>${SECTIONS.map(entry)}
        </ul></nav>
      </div>
    </header>
    <main id="main" tabindex="-1">
      <div class="title"><h1>${title}</h1>${
        readAt &&
        html`<p>Datos del <time datetime="${readAt.toISOString()}">${moment(readAt)}</time> h<span class="live">. Se actualizan solos cada minuto.</span></p>`
      }</div>${body}
    </main>
  </body>
</html>
`.text;
}
