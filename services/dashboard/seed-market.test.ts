import { expect, test } from '@jest/globals';
import { SUPPLIERS } from './seed-catalogue.ts';
import { type Market, makeMarket } from './seed-market.ts';

const untilMs = Date.parse('2026-11-22T20:00:00Z'); // a Sunday afternoon in Argentina
const HOUR_MS = 3_600_000;
const SIZES = [1, 2, 10, 240, 5_000, 40_000];

const marketOf = (movements: number, seed = 7) => makeMarket({ movements, seed, untilMs });

test('the same options give the same market, another seed gives another one', () => {
  expect(marketOf(500)).toEqual(marketOf(500));
  expect(marketOf(500).movements).not.toEqual(marketOf(500, 8).movements);
});

test.each(SIZES)('%d movements: exactly as many, in order of time, none in the future', size => {
  const { movements } = marketOf(size);
  expect(movements.atMs).toHaveLength(size);
  expect(movements.atMs.every((atMs, index) => atMs >= (movements.atMs[index - 1] ?? 0) && atMs <= untilMs)).toBe(true);
});

/** Stock after each movement, by product. */
function replay({ products, movements }: Market) {
  const stock = products.map(() => 0);
  let lowest = 0;
  movements.product.forEach((product, index) => {
    const incoming = ['ingreso', 'entrada'].includes(movements.kind[index] ?? '');
    const after = (stock[product] ?? Number.NaN) + (incoming ? 1 : -1) * (movements.units[index] ?? Number.NaN);
    stock[product] = after;
    lowest = Math.min(lowest, after);
  });
  return { stock, lowest };
}

test.each(SIZES)('%d movements: they add up to the stock, which never was below zero', size => {
  const market = marketOf(size);
  expect(replay(market)).toEqual({ stock: market.products.map(({ stock }) => stock), lowest: 0 });
});

test('each line of an order that was received is a movement, and no other order moved anything', () => {
  const { movements, orders, products } = marketOf(5_000);
  const incoming = movements.kind.filter(kind => kind === 'ingreso' || kind === 'entrada').length;
  const received = orders.filter(({ state }) => state === 'recibido').flatMap(({ lines }) => lines).length;
  expect(incoming - products.length).toBeGreaterThanOrEqual(received);
  expect(incoming - products.length - received).toBeLessThan(0.01 * incoming); // emergencies
});

test.each([1, 2, 3, 4, 5])('seed %d: something is under its minimum, most is not', seed => {
  const { products } = marketOf(5_000, seed);
  const under = products.filter(({ stock, minimum }) => stock < minimum).length;
  expect(under).toBeGreaterThan(2);
  expect(under).toBeLessThan(0.25 * products.length);
});

test('Saturdays are busiest, drinks sell in summer, mate in winter', () => {
  const { movements, products } = marketOf(40_000);
  const local = movements.atMs.map(atMs => new Date(atMs - 3 * HOUR_MS));
  const sold = movements.kind.map(kind => kind === 'egreso' || kind === 'salida');
  const on = (weekday: number) => local.filter((date, index) => sold[index] && date.getUTCDay() === weekday).length;
  expect(on(6)).toBeGreaterThan(1.4 * on(2));
  expect(on(2)).toBeGreaterThan(1.2 * on(0));
  const share = (categoria: string, months: readonly number[]) => {
    const then = movements.product.filter(
      (_, index) => sold[index] && months.includes(local[index]?.getUTCMonth() ?? -1),
    );
    return then.filter(product => products[product]?.categoria === categoria).length / then.length;
  };
  const [summer, winter] = [
    [0, 1, 11],
    [5, 6, 7],
  ];
  expect(share('Bebidas', summer)).toBeGreaterThan(1.2 * share('Bebidas', winter));
  expect(share('Infusiones', winter)).toBeGreaterThan(1.2 * share('Infusiones', summer));
});

test('few suppliers bring most of it; one of them left', () => {
  const { movements, products, orders } = marketOf(40_000);
  const bySupplier = SUPPLIERS.map(
    (_, supplier) => movements.product.filter(product => products[product]?.supplier === supplier).length,
  ).sort((left, right) => right - left);
  expect(bySupplier.slice(0, 3).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0.45 * 40_000);
  const left = SUPPLIERS.findIndex(({ leftDaysAgo }) => leftDaysAgo !== undefined);
  const last = Math.max(...orders.filter(({ supplier }) => supplier === left).map(({ placedMs }) => placedMs));
  expect(last).toBeLessThan(untilMs - 44 * 24 * HOUR_MS);
});

test('both vocabularies are in use to the end, and invoices are in every state', () => {
  const { movements, invoices } = marketOf(5_000);
  expect(new Set(movements.kind.slice(-500))).toEqual(new Set(['ingreso', 'egreso', 'entrada', 'salida']));
  expect(new Set(invoices.map(({ state }) => state))).toEqual(new Set(['procesado', 'pendiente', 'error']));
});

test('before the doors open, yesterday is the last day', () => {
  const early = makeMarket({ movements: 240, seed: 1, untilMs: Date.parse('2026-11-22T10:00:00Z') });
  expect(early.movements.atMs.at(-1)).toBeLessThan(Date.parse('2026-11-22T01:00:00Z'));
});
