import { html } from './html.ts';
import { renderPage } from './layout.ts';

/** What a visitor reads when the figures could not be read; the cause is in the log, under the request's id. */
export const failurePage = (requestId: string): string =>
  renderPage({
    title: 'No pudimos leer los datos',
    body: html`
      <section class="card failure" role="alert">
        <p>En este momento no se puede leer la base de datos. Suele arreglarse solo en unos segundos.</p>
        <p><a class="button main" href="">Reintentar</a></p>
        <p class="note">Si sigue así, avisá a quien mantiene el sistema y pasale este código: <code>${requestId}</code></p>
      </section>`,
  });

export const notFoundPage = (): string =>
  renderPage({
    title: 'Esta página no existe',
    body: html`
      <section class="card failure">
        <p>La dirección está mal escrita o la página se mudó.</p>
        <p><a class="button main" href="/">Ir al resumen</a></p>
      </section>`,
  });

/** There is more to do than can be done at this moment. */
export const busyPage = (): string =>
  renderPage({
    title: 'Hay mucha gente a la vez',
    body: html`
      <section class="card failure" role="alert">
        <p>El sistema está ocupado y prefirió no hacerte esperar. Probá de nuevo en unos segundos.</p>
        <p><a class="button main" href="">Reintentar</a></p>
      </section>`,
  });

/** `seconds`: until the limit's window ends. */
export const tooManyPage = (seconds: string): string =>
  renderPage({
    title: 'Demasiadas visitas seguidas',
    body: html`
      <section class="card failure" role="alert">
        <p>Se pidió esta página muchas veces en poco tiempo. En ${seconds} segundos se puede volver a ver.</p>
        <p><a class="button main" href="">Reintentar</a></p>
      </section>`,
  });
