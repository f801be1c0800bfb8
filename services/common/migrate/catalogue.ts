import type { Client } from 'pg';

/** One thing that migrations can make, in words that are the same whatever schema it stands in. */
export type Entry = {
  /** what it is, by which it is found again: `column users.email` */
  readonly name: string;
  /** everything else about it */
  readonly is: string;
  /** a column that a row cannot be without: nobody who does not know it can write there */
  readonly isDemanding: boolean;
};

const SYSTEM = "(SELECT 1 FROM pg_depend WHERE objid = o.oid AND deptype = 'e')";

// what a schema holds, but for Prisma's own table and what extensions brought
const CATALOGUE = `
  WITH relations AS (
    SELECT c.* FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE nspname = $1 AND relname NOT LIKE '\\_prisma\\_migrations%' AND relname NOT LIKE 'alembic\\_version%'
      AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = c.oid AND deptype = 'e')
  )
  SELECT format('column %s.%s', relname, attname) AS name,
         concat_ws(' ', format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END,
                   'DEFAULT ' || pg_get_expr(adbin, adrelid)) AS is,
         attnotnull AND adbin IS NULL AND attidentity = '' AS "isDemanding"
    FROM relations r JOIN pg_attribute a ON attrelid = r.oid
    LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum
    WHERE relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
  UNION ALL SELECT format('index %s', relname), pg_get_indexdef(oid), false FROM relations r
    JOIN pg_index ON indexrelid = r.oid AND indisvalid
    WHERE NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = r.oid AND contype IN ('p', 'u', 'x'))
  UNION ALL SELECT format('constraint %s of %s', conname, relname), pg_get_constraintdef(c.oid), false
    FROM relations r JOIN pg_constraint c ON conrelid = r.oid WHERE contype <> 'n'
  UNION ALL SELECT format('view %s', relname), pg_get_viewdef(oid), false FROM relations WHERE relkind IN ('v', 'm')
  UNION ALL SELECT format('trigger %s on %s', tgname, relname), pg_get_triggerdef(t.oid), false
    FROM relations r JOIN pg_trigger t ON tgrelid = r.oid WHERE NOT tgisinternal
  UNION ALL SELECT format('function %s(%s)', proname, pg_get_function_identity_arguments(o.oid)), pg_get_functiondef(o.oid), false
    FROM pg_proc o JOIN pg_namespace n ON n.oid = pronamespace
    WHERE nspname = $1 AND prokind IN ('f', 'p') AND NOT EXISTS ${SYSTEM}
  UNION ALL SELECT format('enum %s', typname), string_agg(enumlabel, ', ' ORDER BY enumsortorder), false
    FROM pg_type o JOIN pg_namespace n ON n.oid = typnamespace JOIN pg_enum ON enumtypid = o.oid
    WHERE nspname = $1 AND NOT EXISTS ${SYSTEM} GROUP BY typname`;

/** What the schema holds, by name. `others` are schemas whose name is left out as well, as this one's is. */
export async function readCatalogue(
  client: Client,
  schema: string,
  others: readonly string[] = [],
): Promise<ReadonlyMap<string, Entry>> {
  const { rows } = await client.query<Entry>(CATALOGUE, [schema]);
  const names = [schema, ...others];
  const plain = (text: string) =>
    names.reduce(
      (rest, name) =>
        rest
          .replaceAll(`${client.escapeIdentifier(name)}.`, '')
          .replaceAll(`${name}.`, '')
          .replaceAll(`'${name}'`, "''"),
      text,
    );
  return new Map(rows.map(row => [plain(row.name), { ...row, name: plain(row.name), is: plain(row.is) }]));
}

/**
 * Where the one there is not what is wanted: what is missing, what is otherwise, and a further column that writers must
 * fill. Whatever else is there beside it hurts nobody.
 */
export function differences(wanted: ReadonlyMap<string, Entry>, there: ReadonlyMap<string, Entry>): readonly string[] {
  const wrong = [...wanted.values()].flatMap(({ name, is }) => {
    const found = there.get(name)?.is;
    if (found === undefined) return [`${name} is missing`];
    return found === is ? [] : [`${name} is ${short(found)} instead of ${short(is)}`];
  });
  const tables = new Set([...wanted.keys()].map(tableOf));
  const further = [...there.values()]
    .filter(({ name, isDemanding }) => isDemanding && !wanted.has(name) && tables.has(tableOf(name)))
    .map(({ name, is }) => `${name} (${short(is)}) is one that the migrations do not make`);
  return [...wrong, ...further].sort();
}

const tableOf = (name: string): string => /^column (.*)\.[^.]*$/.exec(name)?.[1] ?? '';

const short = (text: string): string => text.replace(/\s+/g, ' ').slice(0, 120);
