/** What a DATABASE_URL says, for the driver and for what it does not know. */
export type DatabaseAddress = {
  readonly connectionString: string;
  /** Prisma's `?schema=`: where the tables are, instead of the search_path of the role */
  readonly schema: string | undefined;
};

/** `postgresql+psycopg2:` is SQLAlchemy's way to name a driver; the rest is the same. */
const SCHEME = /^postgres(?:ql)?(?:\+[a-z0-9_]+)?:\/\//;

const ENCODE = 'write / ? # @ % in a user name or password percent-encoded, as %2F';

/**
 * What is wrong with a DATABASE_URL, if anything, without a piece of it. One answer for the services and `migrate`;
 * the operator gives the same (operator/src/objects/database.ts).
 */
export function databaseUrlFault(text: string): string | undefined {
  if (!SCHEME.test(text)) return 'must begin with postgresql://';
  const [, authority = ''] = /^[^/]*\/\/([^/?#]*)/.exec(text) ?? [];
  const hosts = authority.slice(authority.lastIndexOf('@') + 1);
  const url = parse(text);
  // with a / ? or # in the password, the host is cut off there and the rest is taken for a path
  if (url === undefined || url.hash !== '' || url.pathname.includes('@'))
    return hosts.includes(',') ? SEVERAL : `cannot be read as a URL: ${ENCODE}`;
  const host = url.searchParams.get('host') ?? hosts;
  if (host.includes(',')) return SEVERAL;
  if (host === '') return 'names no host';
  if (url.pathname.length < 2) return `names no database: end it with /name; ${ENCODE}`;
  return undefined;
}

const SEVERAL = 'names several hosts: name the one that takes writes, as a Service or proxy in front of them does';

/** The driver takes an empty host before a path, where URL does not. */
const parse = (text: string): URL | undefined =>
  URL.parse(text) ?? URL.parse(text.replace('@/', '@socket/')) ?? undefined;

/** For a text in which `databaseUrlFault` found nothing. */
export function parseDatabaseUrl(text: string): DatabaseAddress {
  const connectionString = text.trim().replace(SCHEME, 'postgresql://');
  return { connectionString, schema: parse(connectionString)?.searchParams.get('schema') || undefined };
}
