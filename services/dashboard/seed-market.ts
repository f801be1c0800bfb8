import { randomOf } from '../common/seeding.ts';
import { CATEGORIES, type Category, SUPPLIERS, type Supplier } from './seed-catalogue.ts';

export type MarketOptions = {
  /** movements of stock in all: the size of everything else follows from it */
  readonly movements: number;
  readonly seed: number;
  /** nothing happens after this moment, milliseconds since 1970 */
  readonly untilMs: number;
};

export type Product = {
  readonly codigo: string;
  readonly nombre: string;
  readonly categoria: Category;
  /** index into SUPPLIERS */
  readonly supplier: number;
  /** share of all that is sold */
  readonly popularity: number;
  stock: number;
  minimum: number;
};

export type Order = {
  readonly supplier: number;
  readonly placedMs: number;
  state: 'pendiente' | 'recibido' | 'cancelado';
  readonly lines: readonly { readonly product: number; readonly units: number }[];
};

export const KINDS = ['ingreso', 'egreso', 'entrada', 'salida'] as const;

/** Column by column, because there may be millions. In order of time; a product is an index into `products`. */
export type Movements = {
  readonly product: number[];
  readonly kind: (typeof KINDS)[number][];
  readonly units: number[];
  readonly atMs: number[];
};

export type Invoice = {
  readonly order: number;
  readonly state: 'procesado' | 'pendiente' | 'error';
  readonly readMs: number;
};

export type Market = {
  readonly products: readonly Product[];
  readonly orders: readonly Order[];
  readonly movements: Movements;
  readonly invoices: readonly Invoice[];
};

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Argentina has no summer time. */
const UTC_OFFSET_MS = -3 * HOUR_MS;
/** Goods come in from seven on, customers from eight to ten in the evening. */
const DELIVERIES_HOUR = 7;
const OPEN_HOUR = 8;
const CLOSE_HOUR = 22;

const DAYS_MIN = 60;
const DAYS_MAX = 730;
/** A market this small sells about a dozen things a day; a larger one has a longer history, then a busier one. */
const MOVEMENTS_PER_DAY_MIN = 12;
/** Until then the till and the scanner said entrada and salida; some still do. */
const NEW_WORDS_DAYS_AGO = 90;
const OLD_WORDS_AFTERWARDS = 0.1;
const UNITS_PER_SALE = 2.1;

/**
 * A small market as it might have been: customers buy by weekday and season, what runs low is ordered on the supplier's
 * day and comes some days later. All stock comes from the movements and never was below zero. The same options give
 * the same market.
 */
export function makeMarket(options: MarketOptions): Market {
  return new Simulation(options).run();
}

type Day = {
  /** local midnight */
  readonly startMs: number;
  readonly closeMs: number;
  readonly weekday: number;
  /** 1 in the middle of January, -1 in the middle of July */
  readonly heat: number;
  readonly daysAgo: number;
};

type Delivery = { readonly order: Order; readonly index: number; readonly dueMs: number };

class Simulation {
  readonly #options: MarketOptions;
  readonly #random: () => number;
  readonly #products: readonly Product[];
  readonly #onOrder: number[];
  readonly #orders: Order[] = [];
  readonly #invoices: Invoice[] = [];
  readonly #movements: Movements = { product: [], kind: [], units: [], atMs: [] };
  /** orders on their way, by the day they are due */
  #due: Delivery[] = [];
  /** movements that may happen until the end of the day */
  #budget = 0;

  constructor(options: MarketOptions) {
    this.#options = options;
    this.#random = randomOf(options.seed);
    this.#products = stocked(options.movements, this.#random);
    this.#onOrder = this.#products.map(() => 0);
  }

  run(): Market {
    const { movements } = this.#options;
    const days = daysUntil(this.#options.untilMs, lengthOf(movements));
    const sold = days.map(day => trafficOf(day) * (0.85 + 0.3 * this.#random()));
    const perDay = (movements * UNITS_PER_SALE) / days.length;
    this.#products.forEach(product => {
      product.minimum = discontinued(product) ? 0 : Math.ceil(2.5 * perDay * product.popularity) + 2;
    });
    const shares = apportion(Math.max(0, movements - this.#products.length), sold);
    days.forEach((day, index) => {
      if (index === 0) this.#open(day, perDay);
      this.#budget += shares[index] ?? 0;
      this.#receive(day);
      this.#sell(day, index === days.length - 1);
      this.#order(day, perDay);
    });
    return { products: this.#products, orders: this.#orders, movements: this.#movements, invoices: this.#invoices };
  }

  /** The stock the history begins with came in, too. */
  #open(day: Day, perDay: number): void {
    this.#products.forEach((product, index) => {
      const units = product.minimum + 6 + Math.round(8 * perDay * product.popularity);
      this.#move(day, day.startMs + DELIVERIES_HOUR * HOUR_MS + index * 1_000, index, units);
    });
  }

  /** What is due comes in, whole deliveries only; one that the day has no room for comes tomorrow. */
  #receive(day: Day): void {
    let atMs = day.startMs + DELIVERIES_HOUR * HOUR_MS;
    const waiting: Delivery[] = [];
    for (const delivery of this.#due) {
      const { lines } = delivery.order;
      if (delivery.dueMs > day.startMs || lines.length > this.#budget) {
        waiting.push(delivery);
        continue;
      }
      atMs += Math.floor((1 + this.#random()) * MINUTE_MS);
      this.#budget -= lines.length;
      this.#unload(day, delivery, atMs);
    }
    this.#due = waiting;
  }

  #unload(day: Day, { order, index }: Delivery, atMs: number): void {
    order.state = 'recibido';
    for (const { product, units } of order.lines) {
      this.#onOrder[product] = (this.#onOrder[product] ?? 0) - units;
      this.#move(day, atMs, product, units);
    }
    this.#bill(index, atMs);
  }

  /** Most deliveries come with an invoice, which is scanned within the day and read, or not. */
  #bill(order: number, receivedMs: number): void {
    if (this.#random() < 0.06) return;
    const readMs = receivedMs + Math.floor(this.#random() * 10 * HOUR_MS);
    if (readMs > this.#options.untilMs) return;
    const ageDays = (this.#options.untilMs - readMs) / DAY_MS;
    const luck = this.#random();
    const state = luck < 0.05 ? 'error' : ageDays < 3 && luck < 0.5 ? 'pendiente' : 'procesado';
    this.#invoices.push({ order, state, readMs });
  }

  #sell(day: Day, last: boolean): void {
    const heldBack = last ? 0 : this.#roomForDeliveries(day);
    const sales = Math.max(0, this.#budget - heldBack);
    const times = Array.from({ length: sales }, () => this.#momentOf(day)).sort((left, right) => left - right);
    const picks = cumulative(this.#products.map(product => appeal(product, day)));
    for (const atMs of times) this.#saleAt(day, atMs, picks);
    this.#budget -= sales;
  }

  /** A small market saves up room for a delivery that is waiting at the door. */
  #roomForDeliveries(day: Day): number {
    const waiting = this.#due.filter(({ dueMs }) => dueMs <= day.startMs).map(({ order }) => order.lines.length);
    return waiting.length === 0 ? 0 : Math.min(...waiting);
  }

  /** Customers come around noon and after work. */
  #momentOf(day: Day): number {
    const peak = this.#random() < 0.4 ? 0.32 : 0.78;
    const spread = (this.#random() + this.#random() + this.#random()) / 3 - 0.5;
    const share = this.#random() < 0.35 ? this.#random() : Math.min(Math.max(peak + spread * 0.6, 0), 0.9999);
    const openMs = day.startMs + OPEN_HOUR * HOUR_MS;
    return Math.floor(openMs + share * (day.closeMs - openMs));
  }

  /** What is sold out is asked for in vain; after a few of those, somebody puts a lot on the shelf. */
  #saleAt(day: Day, atMs: number, picks: readonly number[]): void {
    for (let attempt = 0; attempt < 8; attempt += 1) {
      const index = pick(picks, this.#random());
      const stock = this.#products[index]?.stock ?? 0;
      if (stock === 0) continue;
      const wanted = 1 + Math.floor(-1.1 * Math.log(1 - this.#random()) * 1.5);
      this.#move(day, atMs, index, -Math.min(wanted, stock, 24));
      return;
    }
    this.#move(day, atMs, pick(picks, this.#random()), 12);
  }

  #order(day: Day, perDay: number): void {
    SUPPLIERS.forEach((supplier, index) => {
      if (!supplier.orderDays.includes(day.weekday) || day.daysAgo < (supplier.leftDaysAgo ?? -1)) return;
      // now and then somebody forgets
      if (this.#random() < 0.08) return;
      const lines = this.#shoppingList(supplier, index, perDay);
      if (lines.length > 0) this.#place(day, supplier, { supplier: index, lines });
    });
  }

  /** All that would fall under its minimum before the delivery after the next one. */
  #shoppingList(supplier: Supplier, supplierIndex: number, perDay: number): Order['lines'] {
    const daysToCover = supplier.leadDays + 7 / supplier.orderDays.length;
    return this.#products.flatMap((product, index) => {
      if (product.supplier !== supplierIndex) return [];
      const daily = perDay * product.popularity;
      const coming = product.stock + (this.#onOrder[index] ?? 0);
      if (coming > product.minimum + 0.5 * daily * daysToCover) return [];
      const wanted = product.minimum + daily * (daysToCover + 5) - coming;
      return [{ product: index, units: Math.max(1, Math.ceil(wanted / 6)) * 6 }];
    });
  }

  #place(day: Day, supplier: Supplier, { supplier: index, lines }: Pick<Order, 'supplier' | 'lines'>): void {
    const placedMs = Math.floor(day.closeMs - this.#random() * 0.2 * (day.closeMs - day.startMs));
    const cancelled = this.#random() < 0.015;
    const order: Order = { supplier: index, placedMs, state: cancelled ? 'cancelado' : 'pendiente', lines };
    const position = this.#orders.push(order) - 1;
    if (cancelled) return;
    for (const { product, units } of lines) this.#onOrder[product] = (this.#onOrder[product] ?? 0) + units;
    const late = this.#random() < 0.12 ? 1 + Math.floor(this.#random() * 4) : 0;
    this.#due.push({ order, index: position, dueMs: day.startMs + (supplier.leadDays + late) * DAY_MS });
  }

  /** `units` above zero come in, below zero go out. */
  #move(day: Day, atMs: number, index: number, units: number): void {
    const product = this.#products[index];
    if (product === undefined) return;
    product.stock += units;
    const old = day.daysAgo > NEW_WORDS_DAYS_AGO || this.#random() < OLD_WORDS_AFTERWARDS;
    const kind = units > 0 ? (old ? 'entrada' : 'ingreso') : old ? 'salida' : 'egreso';
    this.#movements.product.push(index);
    this.#movements.kind.push(kind);
    this.#movements.units.push(Math.abs(units));
    this.#movements.atMs.push(Math.min(atMs, this.#options.untilMs));
  }
}

const lengthOf = (movements: number) =>
  Math.min(DAYS_MAX, Math.max(DAYS_MIN, Math.floor(movements / MOVEMENTS_PER_DAY_MIN)));

/** The last one may still be going on. */
function daysUntil(untilMs: number, length: number): readonly Day[] {
  const midnight = Math.floor((untilMs + UTC_OFFSET_MS) / DAY_MS) * DAY_MS - UTC_OFFSET_MS;
  // before the doors open, yesterday is the last day
  const lastMs = untilMs < midnight + OPEN_HOUR * HOUR_MS ? midnight - DAY_MS : midnight;
  return Array.from({ length }, (_, index) => {
    const daysAgo = length - 1 - index;
    const startMs = lastMs - daysAgo * DAY_MS;
    const local = new Date(startMs + UTC_OFFSET_MS); // its UTC fields are the local ones
    const yearDay = (Date.UTC(2001, local.getUTCMonth(), local.getUTCDate()) - Date.UTC(2001, 0, 1)) / DAY_MS;
    return {
      startMs,
      closeMs: Math.min(startMs + CLOSE_HOUR * HOUR_MS, untilMs),
      weekday: local.getUTCDay(),
      heat: Math.cos((2 * Math.PI * (yearDay - 14)) / 365),
      daysAgo,
    };
  });
}

/** Sunday to Saturday */
const WEEKDAYS = [0.55, 0.85, 0.85, 0.9, 1, 1.3, 1.55];
/** January to December: people are away in January and celebrate in December. */
const MONTHS = [0.86, 0.92, 1, 1, 1, 0.97, 0.98, 1, 1.01, 1.03, 1.06, 1.24];
const CLOSED = ['01-01', '05-01', '12-25'];

/** How busy the day is; a day that is not over yet has less of it. */
function trafficOf({ startMs, closeMs, weekday, daysAgo }: Day): number {
  const date = new Date(startMs + UTC_OFFSET_MS);
  if (CLOSED.includes(date.toISOString().slice(5, 10))) return 0.02;
  const openHours = (closeMs - startMs) / HOUR_MS - OPEN_HOUR;
  const growth = 1 - 0.0004 * daysAgo;
  const opened = Math.max(0, openHours / (CLOSE_HOUR - OPEN_HOUR));
  return (WEEKDAYS[weekday] ?? 1) * (MONTHS[date.getUTCMonth()] ?? 1) * growth * opened;
}

const discontinued = (product: Product) => SUPPLIERS[product.supplier]?.leftDaysAgo !== undefined;

/** Drinks and ice cream sell in the heat, beer at the end of the week. */
function appeal({ categoria, popularity }: Product, { heat, weekday }: Day): number {
  const weekend = categoria === 'Bebidas' && weekday >= 5 ? 1.3 : 1;
  return popularity * (1 + CATEGORIES[categoria] * heat) * weekend;
}

/** The shelves: the larger the market, the more of the catalogue, with packs in the end. */
function stocked(movements: number, random: () => number): readonly Product[] {
  const wanted = Math.max(1, Math.floor(Math.min(2 * Math.sqrt(movements), movements / 4)));
  const all = ['', ' (pack x 6)', ' (bulto x 12)'].flatMap(pack => everySize(pack));
  const chosen = all.slice(0, wanted).sort((left, right) => left.supplier - right.supplier);
  const rank = SUPPLIERS.map(() => 0);
  const weights = chosen.map(({ supplier }) => {
    const position = (rank[supplier] ?? 0) + 1;
    rank[supplier] = position;
    return ((SUPPLIERS[supplier]?.share ?? 1) / position ** 0.8) * (0.6 + 0.8 * random());
  });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return chosen.map((product, index) => ({
    ...product,
    codigo: `P${String(index + 1).padStart(4, '0')}`,
    popularity: (weights[index] ?? 0) / total,
    stock: 0,
    minimum: 0,
  }));
}

/** Every supplier's first product, then every second one, and so on: a small market has something of everybody. */
function everySize(pack: string) {
  const bySupplier = SUPPLIERS.map(({ lines }, supplier) =>
    lines.flatMap(({ categoria, nombre, sizes }) =>
      sizes
        .filter(size => pack === '' || !soldInPacks(size))
        .map(size => ({ supplier, categoria, nombre: `${nombre} ${size}${pack}` })),
    ),
  );
  const longest = Math.max(...bySupplier.map(products => products.length));
  return Array.from({ length: longest }, (_, index) => bySupplier.flatMap(products => products[index] ?? [])).flat();
}

/** Such as `caja x 24`, or `x kg`. */
const soldInPacks = (size: string) => /(^| )x /.test(size);

/** Shares out `total` whole pieces by weight; the rounding is carried on, so they add up exactly. */
function apportion(total: number, weights: readonly number[]): readonly number[] {
  const sum = weights.reduce((left, right) => left + right, 0);
  let weight = 0;
  let given = 0;
  return weights.map(own => {
    weight += own;
    const until = Math.round((total * weight) / sum);
    const share = until - given;
    given = until;
    return share;
  });
}

function cumulative(weights: readonly number[]): readonly number[] {
  let sum = 0;
  return weights.map(weight => {
    sum += weight;
    return sum;
  });
}

/** Index of the weight that `luck`, 0 to below 1, falls on. */
function pick(sums: readonly number[], luck: number): number {
  const wanted = luck * (sums.at(-1) ?? 0);
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sums[middle] ?? 0) > wanted) high = middle;
    else low = middle + 1;
  }
  return low;
}
