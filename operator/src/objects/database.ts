import { shortHash } from './hash.ts';

const SCHEME = /^postgres(ql)?(\+[a-z0-9]+)?:/;

/**
 * Tells databases apart without naming one: ten hex digits over host, port and database name. User and password are
 * not part of it, so two resources with different users still take turns. Accepts SQLAlchemy's `postgresql+driver:`.
 * Undefined when the text is not a PostgreSQL URL with a host and a database.
 */
export function databaseIdentityOf(url: string): string | undefined {
  if (!SCHEME.test(url)) return undefined;
  const parsed = URL.parse(url.trim().replace(SCHEME, 'postgresql:'));
  if (!parsed) return undefined;
  const host = (parsed.hostname || parsed.searchParams.get('host') || '').toLowerCase();
  const database = parsed.pathname.slice(1);
  if (host === '' || database === '') return undefined;
  const port = parsed.port || parsed.searchParams.get('port') || '5432';
  return shortHash({ host, port, database });
}
