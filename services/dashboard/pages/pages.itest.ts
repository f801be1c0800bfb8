// The pages in a real browser, over a real database.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { source as axeSource } from 'axe-core';
import type { Browser, BrowserContext, BrowserContextOptions, Download, Page } from 'playwright-core';
import { query, startPostgres, type TestPostgres } from '../../common/testing/postgres.ts';
import { until } from '../../common/testing/processes.ts';
import { API_KEY, SCRAPE_TOKEN } from '../testing.ts';
import { launchBrowser, prepareMarket, type Served, serveDashboard } from './browser.ts';

const PAGES = ['/', '/providers', '/analytics'];
const SCHEMES = ['light', 'dark'] as const;
const PHONE = { viewport: { width: 390, height: 844 } };
const DESKTOP = { viewport: { width: 1280, height: 900 } };

/** A name that would run as a script, and is longer than a phone is wide. */
const HOSTILE = `</script><script>window.attacked=1</script><img src=x onerror="window.attacked=1">${'ñ'.repeat(60)}`;

let postgres: TestPostgres;
let browser: Browser;
let databaseUrl: string;
let served: Served;

beforeAll(async () => {
  postgres = await startPostgres();
  databaseUrl = await postgres.createDatabase('market');
  await prepareMarket(databaseUrl, 4_000);
  served = await serveDashboard(databaseUrl);
  browser = await launchBrowser();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await served?.app.close();
  await postgres?.remove();
});

/** What a browser complains about, and every host that it is sent to. */
type Watched = { readonly page: Page; readonly complaints: string[]; readonly origins: Set<string> };

async function watched(context: BrowserContext): Promise<Watched> {
  const page = await context.newPage();
  const complaints: string[] = [];
  const origins = new Set<string>();
  page.on('console', message => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', error => complaints.push(error.message));
  page.on('requestfailed', request => complaints.push(`failed: ${request.url()}`));
  page.on('request', request => origins.add(new URL(request.url()).origin));
  await page.addInitScript(
    `addEventListener('securitypolicyviolation', event => console.error(event.violatedDirective))`,
  );
  return { page, complaints, origins };
}

/** Visits with a browser that was never here. */
async function visit<Result>(
  options: BrowserContextOptions,
  work: (watched: Watched) => Promise<Result>,
): Promise<Result> {
  const context = await browser.newContext({ locale: 'es-AR', acceptDownloads: true, ...options });
  try {
    return await work(await watched(context));
  } finally {
    await context.close();
  }
}

type Bars = { readonly title: string; readonly values: number[][]; readonly lengths: number[][] };

/** For each chart the table's figures, and how long the bars are that are really on its canvas, in their colours. */
const READ_BARS = `[...document.querySelectorAll('figure[data-kind]')].map(figure => {
  const canvas = figure.querySelector('canvas');
  const { width, height } = canvas;
  const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
  const lies = figure.dataset.kind === 'ranking';
  const drawn = Number(figure.dataset.drawn);
  const rows = [...figure.querySelectorAll('tbody tr')];
  const rgb = name => getComputedStyle(figure).getPropertyValue(name).trim().match(/[0-9a-f]{2}/g).map(hex => parseInt(hex, 16));
  const lengthsOf = color => {
    const isColor = (x, y) => color.every((part, index) => Math.abs(part - data[(y * width + x) * 4 + index]) <= 2);
    const across = lies ? height : width;
    const along = lies ? width : height;
    const lengths = [0];
    for (let place = 0; place < across; place++) {
      let length = 0;
      for (let step = 0; step < along; step++) if (lies ? isColor(step, place) : isColor(place, step)) length++;
      if (length === 0) lengths.push(0);
      else lengths.push(Math.max(lengths.pop(), length));
    }
    return lengths.filter(length => length > 0);
  };
  return {
    title: figure.closest('section').querySelector('h2').textContent,
    values: Array.from({ length: drawn }, (_, series) => rows.map(row => Number(row.querySelectorAll('data')[series].value))),
    lengths: Array.from({ length: drawn }, (_, series) => lengthsOf(rgb('--s' + (series + 1)))),
  };
})`;

/** All bars of a chart share one scale; what is less than two pixels long may not be seen. */
function expectBarsToMeasure({ values, lengths }: Bars): void {
  const largest = Math.max(...values.flat());
  const longest = Math.max(...lengths.flat());
  expect(longest).toBeGreaterThan(50);
  for (const [series, all] of values.entries()) {
    const expected = all.map(value => (value / largest) * longest).filter(length => length > 0);
    expect(lengths[series]).toHaveLength(expected.length);
    for (const [index, length] of expected.entries()) {
      expect(Math.abs((lengths[series]?.[index] ?? 0) - length)).toBeLessThanOrEqual(2);
    }
  }
}

describe.each(SCHEMES)('in %s', colorScheme => {
  test.each([
    ['/', ['Actividad, 7 días', 'Pedidos por semana', 'Los 5 proveedores con más pedidos', 'Stock por proveedor']],
    ['/analytics', ['Productos más pedidos', 'Pedidos por mes', 'Movimientos por mes']],
  ])('every chart of %s is drawn, each bar as long as its figure says', async (path, titles) => {
    await visit({ ...DESKTOP, colorScheme }, async ({ page }) => {
      await page.goto(served.origin + path);
      await page.locator('.drawn canvas').first().waitFor();
      const charts = await page.evaluate<Bars[]>(READ_BARS);
      expect(charts.map(({ title }) => title)).toEqual(titles);
      for (const chart of charts) expectBarsToMeasure(chart);
    });
  });

  test.each(PAGES)('axe finds no serious fault in %s', async path => {
    await visit({ ...DESKTOP, colorScheme }, async ({ page }) => {
      await page.goto(served.origin + path);
      for (const summary of await page.locator('summary').all()) await summary.click();
      await page.evaluate(axeSource);
      const { violations } = await page.evaluate<{ violations: { id: string; impact: string; nodes: unknown[] }[] }>(
        'axe.run()',
      );
      expect(violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))).toEqual([]);
    });
  });
});

test.each(PAGES)('%s: no complaint, no other host, nothing moves while it loads', async path => {
  for (const size of [DESKTOP, PHONE]) {
    await visit(size, async ({ page, complaints, origins }) => {
      await page.goto(served.origin + path, { waitUntil: 'networkidle' });
      const shift = await page.evaluate<number>(`new Promise(resolve => {
        new PerformanceObserver(list => resolve(list.getEntries().reduce((sum, { value }) => sum + value, 0)))
          .observe({ type: 'layout-shift', buffered: true });
        setTimeout(() => resolve(0), 500);
      })`);
      expect(complaints).toEqual([]);
      expect([...origins]).toEqual([served.origin]);
      expect(shift).toBeLessThan(0.01);
    });
  }
});

test('the key is in no page and in no file of the pages', async () => {
  await visit(DESKTOP, async ({ page }) => {
    const bodies: string[] = [];
    // a body that the browser has thrown away with its page is none
    page.on('response', async response => bodies.push(await response.text().catch(() => '')));
    for (const path of PAGES) await page.goto(served.origin + path, { waitUntil: 'networkidle' });
    expect(bodies.length).toBeGreaterThan(PAGES.length);
    expect(await page.evaluate('[localStorage.length, sessionStorage.length, document.cookie]')).toEqual([0, 0, '']);
    for (const secret of [API_KEY, SCRAPE_TOKEN]) expect(bodies.join()).not.toContain(secret);
  });
});

// 320 is a desktop window at 400 %, too
test.each(PAGES)('%s needs no scrolling to the side on a phone', async path => {
  for (const width of [390, 320]) {
    await visit({ viewport: { width, height: 844 } }, async ({ page }) => {
      await page.goto(served.origin + path);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    });
  }
});

test.each(['/', '/analytics'])('%s without scripts shows the figures as tables instead of charts', async path => {
  await visit({ ...DESKTOP, javaScriptEnabled: false }, async ({ page }) => {
    await page.goto(served.origin + path);
    const figures = await page.locator('figure').all();
    expect(figures.length).toBeGreaterThan(2);
    for (const figure of figures) {
      expect(await figure.locator('.plot').isVisible()).toBe(false);
      expect(await figure.locator('tbody tr').first().isVisible()).toBe(true);
    }
  });
});

test('the figures of the pages are those of the API', async () => {
  const asked = await fetch(`${served.origin}/api/summary`, { headers: { 'x-api-key': API_KEY } });
  const summary = (await asked.json()) as { pedidos_mes: number; proveedor_top: { nombre: string } };
  await visit(DESKTOP, async ({ page }) => {
    await page.goto(served.origin);
    const tile = (label: string) =>
      page.locator('.tiles > div', { hasText: label }).locator('dd').first().textContent();
    expect(await tile('Pedidos, 30 días')).toBe(new Intl.NumberFormat('es-AR').format(summary.pedidos_mes));
    expect(await tile('Proveedor principal')).toBe(summary.proveedor_top.nombre);
  });
});

test('a pointer over a bar reads its figures; a wider window gets a wider chart', async () => {
  await visit(DESKTOP, async ({ page }) => {
    await page.goto(served.origin);
    const figure = page.locator('figure').first();
    await figure.locator('.u-over').hover();
    const hint = figure.locator('.hint');
    expect(await hint.textContent()).toMatch(/^\p{L}+ \d\d\/\d\d\/\d{4}Entradas: [\d.]+Salidas: [\d.]+$/u);
    const width = async () => (await figure.locator('canvas').boundingBox())?.width ?? 0;
    const before = await width();
    await page.setViewportSize({ width: 1_060, height: 900 });
    await until('the chart is narrower', async () => (await width()) < before);
  });
});

test('charts take the colours of a scheme that changes, and of paper', async () => {
  await visit({ ...DESKTOP, colorScheme: 'dark' }, async ({ page }) => {
    await page.goto(served.origin);
    await page.locator('.drawn canvas').first().waitFor();
    const expectDrawn = () =>
      until('the charts are drawn in the colours of now', async () =>
        (await page.evaluate<Bars[]>(READ_BARS)).every(({ lengths }) => lengths.every(({ length }) => length > 0)),
      );
    await page.emulateMedia({ colorScheme: 'light' });
    await expectDrawn();
    await page.emulateMedia({ colorScheme: 'dark' });
    await expectDrawn();
    await page.evaluate(`dispatchEvent(new Event('beforeprint'))`);
    expect(await page.evaluate(`getComputedStyle(document.documentElement).getPropertyValue('--card')`)).toBe('#fff');
    await expectDrawn();
  });
});

test('on paper no chart is cut, the legend keeps its colours and nothing scrolls', async () => {
  await visit(DESKTOP, async ({ page }) => {
    for (const path of ['/', '/analytics']) {
      await page.goto(served.origin + path);
      await page.locator('.drawn canvas').first().waitFor();
      await page.emulateMedia({ media: 'print' });
      await page.setViewportSize({ width: 703, height: 1_000 }); // A4 less its margins
      for (const card of await page.locator('.card:has(canvas)').all()) {
        const [outer, inner] = [await card.boundingBox(), await card.locator('canvas').boundingBox()];
        if (outer === null || inner === null) throw new Error('a chart is not printed');
        // shrunk further, nobody could read the names
        const drawn = await card.locator('canvas').getAttribute('width');
        expect(inner.width / Number(drawn)).toBeGreaterThan(0.65);
        expect(inner.x + inner.width).toBeLessThanOrEqual(outer.x + outer.width);
        expect(inner.y + inner.height).toBeLessThanOrEqual(outer.y + outer.height);
      }
      const styles = `[...document.querySelectorAll('.legend li')].map(item => getComputedStyle(item, '::before').printColorAdjust)`;
      expect(new Set(await page.evaluate<string[]>(styles))).toEqual(new Set(['exact']));
      const titles = `[...document.querySelectorAll('.card > :has(~ .scroll)')].map(title => getComputedStyle(title).breakAfter)`;
      expect(new Set(await page.evaluate<string[]>(titles))).toEqual(new Set(['avoid']));
      expect(
        await page.evaluate(
          `[...document.querySelectorAll('.scroll')].some(box => getComputedStyle(box).overflowX !== 'visible')`,
        ),
      ).toBe(false);
      await page.emulateMedia({ media: 'screen' });
      await page.setViewportSize(DESKTOP.viewport);
    }
  });
});

test('the page brings its figures up to date by itself, and disturbs nobody', async () => {
  const url = await postgres.createDatabase('alive');
  await prepareMarket(url, 200);
  const alive = await serveDashboard(url, { DASHBOARD_CACHE_SECONDS: '0' });
  try {
    await visit(DESKTOP, async ({ page, complaints }) => {
      await page.clock.install();
      await page.goto(alive.origin, { waitUntil: 'networkidle' });
      expect(await page.locator('.title p').textContent()).toMatch(/ h\. Se actualizan solos cada minuto\.$/);
      const figure = page.locator('figure').first();
      await figure.locator('summary').focus();
      await page.keyboard.press('Enter');
      const place = () => page.evaluate<[string, number]>('[document.activeElement.textContent.trim(), scrollY]');
      const before = await place();
      await query(
        url,
        `INSERT INTO facturas_ocr (archivo, estado) SELECT 'x.pdf', 'procesado' FROM generate_series(1, 4711)`,
      );
      await page.clock.fastForward(61_000);
      await page.locator('.tiles > div', { hasText: 'Facturas procesadas' }).locator('dd', { hasText: '4.' }).waitFor();
      expect(await place()).toEqual(before);
      expect(await figure.locator('table').isVisible()).toBe(true);
      expect(await page.locator('.drawn canvas').count()).toBe(await page.locator('figure').count());
      expect((await page.locator('.title p').textContent())?.match(/solos/g)).toHaveLength(1);

      await page.goto(`${alive.origin}/analytics`, { waitUntil: 'networkidle' });
      await page.locator('input[name="start_date"]').fill('2026-01-02');
      const asked: string[] = [];
      page.on('request', request => asked.push(request.url()));
      await page.clock.fastForward(61_000);
      await page.evaluate('new Promise(resolve => requestAnimationFrame(resolve))').catch(() => undefined);
      expect(await page.locator('input[name="start_date"]').inputValue()).toBe('2026-01-02');
      expect(asked).toEqual([]);
      expect(complaints).toEqual([]);
    });
  } finally {
    await alive.app.close();
  }
}, 120_000);

test('on a phone the providers’ table needs no scrolling', async () => {
  await visit(PHONE, async ({ page }) => {
    await page.goto(`${served.origin}/providers`);
    expect(
      await page.evaluate(
        `(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('.scroll'))`,
      ),
    ).toBe(0);
  });
});

test('with the keyboard alone: past the navigation, the data of a chart, the order of a table', async () => {
  await visit(DESKTOP, async ({ page }) => {
    const focused = () => page.evaluate<string>('document.activeElement.textContent.trim()');
    const press = (...keys: string[]) =>
      keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
    await page.goto(served.origin);
    await press('Tab');
    expect(await focused()).toBe('Saltar al contenido');
    expect((await page.locator('.skip').boundingBox())?.y).toBeGreaterThan(0);
    await press('Enter', 'Tab');
    expect(await focused()).toMatch(/^Ver los datos/);
    await press('Enter');
    expect(await page.locator('figure').first().locator('table').isVisible()).toBe(true);

    await page.goto(`${served.origin}/providers`);
    await page.locator('.skip').focus();
    await press('Enter', 'Tab');
    expect(await focused()).toBe('Descargar CSV');
    await press('Tab', 'Tab');
    expect(await focused()).toBe('Proveedor');
    await press('Enter');
    await page.locator('th[aria-sort="ascending"]').waitFor();
    const names = await page.locator('tbody th a').allTextContents();
    expect(names).toEqual(names.toSorted(new Intl.Collator('es-AR', { numeric: true }).compare));
    expect(names.length).toBeGreaterThan(3);
  });
});

test('filters narrow the figures, and stay from page to page of the table', async () => {
  await visit(DESKTOP, async ({ page }) => {
    await page.goto(`${served.origin}/analytics`);
    const rows = page.locator('section[aria-labelledby="detalle"] tbody tr');
    await page.getByRole('link', { name: 'Siguiente' }).click();
    await page.waitForURL(/pagina=2/);
    expect(await rows.first().locator('.rank').textContent()).toBe('21');
    const provider = (await page.locator('select option').nth(1).textContent()) ?? '';
    await page.getByLabel('Proveedor').selectOption({ index: 1 });
    await page.getByRole('button', { name: 'Aplicar' }).click();
    await page.waitForURL(/proveedor=\w/);
    expect(new Set(await rows.locator('td.roomy').allTextContents())).toEqual(new Set([provider]));
    await page.getByRole('link', { name: 'últimos 30 días' }).click();
    await page.waitForURL(/start_date=\d{4}-\d\d-\d\d&end_date=\d{4}-\d\d-\d\d&proveedor=\w/);
    expect(await page.locator('select').inputValue()).not.toBe('');
  });
});

test('a filter that takes long says that it is on its way', async () => {
  await visit(DESKTOP, async ({ page }) => {
    await page.goto(`${served.origin}/analytics`);
    const body = await page.evaluate<string>(`new Promise(resolve => {
      const [form] = document.forms;
      form.addEventListener('submit', event => {
        event.preventDefault();
        resolve(document.body.className);
      });
      form.requestSubmit();
    })`);
    expect(body).toBe('loading');
  });
});

const textOf = async (download: Download) => readFileSync(await download.path(), 'utf8');

test.each([
  [
    '/analytics?proveedor=Arcor&start_date=2026-01-01',
    'CSV de productos',
    'productos.csv',
    'top-products.csv?limit=100&proveedor=Arcor&start_date=2026-01-01',
  ],
  ['/analytics', 'CSV de resumen', 'resumen.csv', 'summary.csv'],
  ['/analytics', 'CSV de proveedores', 'proveedores.csv', 'providers.csv'],
  ['/providers', 'Descargar CSV', 'proveedores.csv', 'providers.csv'],
])('on %s the button "%s" downloads %s, as /api/export/%s with a key', async (path, button, file, exported) => {
  const api = await fetch(`${served.origin}/api/export/${exported}`, { headers: { 'x-api-key': API_KEY } });
  await visit(DESKTOP, async ({ page }) => {
    await page.goto(served.origin + path);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: button }).click(),
    ]);
    expect(download.suggestedFilename()).toBe(file);
    expect(await textOf(download)).toBe(`\uFEFF${await api.text()}`);
  });
});

test('what somebody wrote into a name or an address is text, and nothing else', async () => {
  const url = await postgres.createDatabase('hostile');
  await prepareMarket(url, 0);
  await query(
    url,
    `INSERT INTO proveedores (codigo, nombre) VALUES ('X"><b>', $text$${HOSTILE}$text$);
     INSERT INTO productos (codigo, nombre, proveedor_id, stock_actual, stock_minimo) VALUES ('<b>', $text$${HOSTILE}$text$, 1, 1, 2);
     INSERT INTO pedidos (proveedor_id) VALUES (1);
     INSERT INTO detalle_pedidos (pedido_id, producto_id, cantidad) VALUES (1, 1, 3);
     INSERT INTO movimientos_stock (producto_id, tipo, cantidad) VALUES (1, 'ingreso', 5);`,
  );
  const hostile = await serveDashboard(url);
  try {
    await visit(PHONE, async ({ page, complaints }) => {
      const search = `proveedor=${encodeURIComponent(HOSTILE)}&start_date=${encodeURIComponent('"><script>window.attacked=1</script>')}`;
      for (const path of [...PAGES, `/analytics?${search}`]) {
        await page.goto(hostile.origin + path, { waitUntil: 'networkidle' });
        expect(await page.evaluate('window.attacked')).toBeUndefined();
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
        if (!path.includes('?')) expect(await page.locator('main').textContent()).toContain(HOSTILE);
      }
      await page.goto(hostile.origin);
      await page.locator('figure .u-over').last().hover();
      expect(await page.locator('.hint:visible').textContent()).toContain(HOSTILE);
      expect(await page.evaluate('window.attacked')).toBeUndefined();
      expect(complaints).toEqual([]);
    });
  } finally {
    await hostile.app.close();
  }
});

test('whatever is asked for, it is no server error', async () => {
  const days = ['', '0001-01-01', '9999-12-31', '1970-01-01', '-1', '%00', '2026-02-30'];
  const dates = days.flatMap(start => days.map(end => `start_date=${start}&end_date=${end}`));
  const others = [
    'proveedor=%00',
    'proveedor=%25',
    'proveedor=_%5C',
    'proveedor=%F0%9F%98%80',
    'proveedor=a&proveedor=b',
  ];
  const paging = [
    'pagina=99999999999999999999',
    'pagina=9007199254740991',
    'pagina=1e3',
    'pagina=-1',
    'orden[]=x',
    '%ZZ',
  ];
  for (const search of [...dates, ...others, ...paging]) {
    for (const path of ['/analytics', '/providers', '/analytics/export/top-products.csv']) {
      const { statusCode } = await served.app.inject(`${path}?${search}`);
      expect([path, search, statusCode]).toEqual([path, search, 200]);
    }
  }
});

test('stock that is missing from the books is drawn to the other side', async () => {
  const url = await postgres.createDatabase('missing');
  await prepareMarket(url, 0);
  await query(
    url,
    `INSERT INTO proveedores (codigo, nombre) VALUES ('A', 'Arcor'), ('B', 'Bodega');
     INSERT INTO productos (codigo, nombre, proveedor_id) VALUES ('P1', 'Yerba', 1), ('P2', 'Vino', 2);
     INSERT INTO movimientos_stock (producto_id, tipo, cantidad) VALUES (1, 'ingreso', 40), (2, 'salida', 10);`,
  );
  const missing = await serveDashboard(url);
  try {
    await visit(DESKTOP, async ({ page }) => {
      await page.goto(missing.origin);
      await page.locator('.drawn canvas').first().waitFor();
      const stock = (await page.evaluate<Bars[]>(READ_BARS)).find(({ title }) => title === 'Stock por proveedor');
      expect(stock?.values).toEqual([[40, -10]]);
      const [above = 0, below = 0] = stock?.lengths[0] ?? [];
      expect(above / below).toBeGreaterThan(3.8);
      expect(above / below).toBeLessThan(4.2);
    });
  } finally {
    await missing.app.close();
  }
});

test('a market without anything yet says so, and nothing is broken', async () => {
  const url = await postgres.createDatabase('nothing');
  await prepareMarket(url, 0);
  const nothing = await serveDashboard(url);
  try {
    await visit(PHONE, async ({ page, complaints }) => {
      for (const path of PAGES) {
        await page.goto(nothing.origin + path, { waitUntil: 'networkidle' });
        expect(await page.locator('.empty').count()).toBeGreaterThan(0);
        expect(await page.locator('canvas').count()).toBe(0);
      }
      expect(complaints).toEqual([]);
    });
  } finally {
    await nothing.app.close();
  }
});

test('while the database is down there is a page that says so, counted as an error; trying again works', async () => {
  const uncached = await serveDashboard(databaseUrl, { DASHBOARD_CACHE_SECONDS: '0' });
  try {
    await visit(PHONE, async ({ page }) => {
      await postgres.stop();
      const response = await page.goto(uncached.origin);
      expect(response?.status()).toBe(500);
      expect(await page.locator('h1').textContent()).toBe('No pudimos leer los datos');
      expect(await page.locator('code').textContent()).toBe(response?.headers()['x-request-id']);
      await page.evaluate(axeSource);
      expect(await page.evaluate('axe.run().then(({ violations }) => violations)')).toEqual([]);
      const metrics = await fetch(`${uncached.origin}/metrics`, {
        headers: { authorization: `Bearer ${SCRAPE_TOKEN}` },
      });
      expect(await metrics.text()).toMatch(/^dashboard_errors_by_path_total\{path="\/"\} 1$/m);
      await postgres.start();
      await until('the page is back', async () => {
        await page
          .getByRole('link', { name: /Reintentar|Resumen/ })
          .first()
          .click();
        return (await page.locator('.tiles').count()) > 0;
      });
    });
  } finally {
    await uncached.app.close();
  }
}, 60_000);
