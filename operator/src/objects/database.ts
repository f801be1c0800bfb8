import { shortHash } from './hash.ts';

const SCHEME = /^postgres(ql)?(\+[a-z0-9_]+)?:/;

/**
 * Tells databases apart without naming one: ten hex digits over host, port and database name. User and password are
 * not part of it, so two resources with different users still take turns. Accepts SQLAlchemy's `postgresql+driver:`.
 * Undefined when the text is not a PostgreSQL URL with a host and a database.
 */
export function databaseIdentityOf(url: string): string | undefined {
  const place = placeOf(url);
  return place && shortHash(place);
}

/** The driver takes an empty host before a path, where URL does not: `user@/shop?host=/run/postgresql`. */
const parse = (url: string): URL | undefined => urlIn(url) ?? urlIn(url.replace(/\/\/[^/]*@\//, '///'));

/** Not URL.parse: `kubectl devshelf` comes by here, too, and Node 20 does not know it. */
const urlIn = (text: string): URL | undefined => (URL.canParse(text) ? new URL(text) : undefined);

function placeOf(url: string): { host: string; port: string; database: string } | undefined {
  if (!SCHEME.test(url)) return undefined;
  const parsed = parse(url.trim().replace(SCHEME, 'postgresql:'));
  // with a / or # in the password, the host is cut off there and the rest is taken for a path
  if (parsed?.hash !== '' || parsed.pathname.includes('@')) return undefined;
  const host = (parsed.hostname || parsed.searchParams.get('host') || '').toLowerCase();
  const database = parsed.pathname.slice(1);
  if (host === '' || host.includes(',') || database === '') return undefined;
  const port = parsed.port || parsed.searchParams.get('port') || '5432';
  return { host, port, database };
}
