import type { Client } from 'pg';

/** One thing of a database, with everything that a release could rely on. */
export type Item = {
  readonly kind:
    | 'schema'
    | 'table'
    | 'column'
    | 'view'
    | 'sequence'
    | 'constraint'
    | 'index'
    | 'trigger'
    | 'function'
    | 'enum'
    | 'domain'
    | 'policy'
    | 'right';
  readonly name: string;
  /** the table, view or function that it belongs to, which takes it along */
  readonly of: string | null;
  readonly facts: Readonly<Record<string, unknown>>;
};

/** By kind and name. */
export type Inventory = ReadonlyMap<string, Item>;

const OF_EXTENSION = (oid: string) => `EXISTS (SELECT 1 FROM pg_depend WHERE objid = ${oid} AND deptype = 'e')`;

const rightsOf = (name: string, from: string, acl: string, kind: string, owner: string, extra = '') => `
  SELECT 'right', format('%s on %s to %s', privilege_type, ${name}, coalesce(rolname, 'PUBLIC')), ${name}, '{}'
  FROM ${from} CROSS JOIN LATERAL aclexplode(coalesce(${acl}, acldefault(${kind}, ${owner})))
  LEFT JOIN pg_roles ON pg_roles.oid = grantee
  WHERE grantee <> ${owner} ${extra}`;

// $1 is the schema whose name is left out; extensions' own things and the runner's table are no migration's
const INVENTORY = `
  WITH spaces AS (
    SELECT n.*, CASE WHEN nspname = $1 THEN '' ELSE nspname || '.' END AS prefix FROM pg_namespace n
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND NOT ${OF_EXTENSION('n.oid')}
  ), relations AS (
    SELECT c.*, prefix || relname AS name FROM pg_class c JOIN spaces s ON s.oid = relnamespace
    WHERE relname NOT LIKE '\\_prisma\\_migrations%' AND NOT ${OF_EXTENSION('c.oid')}
  ), routines AS (
    SELECT p.*, format('%s%s(%s)', prefix, proname, pg_get_function_identity_arguments(p.oid)) AS name
    FROM pg_proc p JOIN spaces s ON s.oid = pronamespace WHERE NOT ${OF_EXTENSION('p.oid')}
  ), types AS (
    SELECT t.*, prefix || typname AS name FROM pg_type t JOIN spaces s ON s.oid = typnamespace
    WHERE NOT ${OF_EXTENSION('t.oid')}
  )
  SELECT 'schema' AS kind, nspname::text AS name, NULL::text AS of, '{}'::jsonb AS facts FROM spaces WHERE nspname <> $1
  UNION ALL SELECT 'table', name, NULL, jsonb_build_object('secured', relrowsecurity, 'forced', relforcerowsecurity,
      'partOf', (SELECT string_agg(inhparent::regclass::text, ', ' ORDER BY 1) FROM pg_inherits WHERE inhrelid = oid))
    FROM relations WHERE relkind IN ('r', 'p', 'f')
  UNION ALL SELECT 'column', name || '.' || attname, name, jsonb_build_object('type', format_type(atttypid, atttypmod),
      'notNull', attnotnull, 'default', pg_get_expr(adbin, adrelid), 'identity', attidentity, 'generated', attgenerated,
      'ofTable', relkind IN ('r', 'p', 'f'))
    FROM relations r JOIN pg_attribute ON attrelid = r.oid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relkind IN ('r', 'p', 'f', 'v', 'm') AND attnum > 0 AND NOT attisdropped
  UNION ALL SELECT 'view', name, NULL, jsonb_build_object('definition', pg_get_viewdef(oid))
    FROM relations WHERE relkind IN ('v', 'm')
  UNION ALL SELECT 'sequence', name, NULL, jsonb_build_object('type', format_type(seqtypid, NULL), 'by', seqincrement)
    FROM relations r JOIN pg_sequence ON seqrelid = r.oid
  UNION ALL SELECT 'constraint', format('%s of %s', conname, name), name, jsonb_build_object('type', contype,
      'definition', pg_get_constraintdef(c.oid), 'columns', (SELECT coalesce(jsonb_agg(name || '.' || attname), '[]')
        FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY(conkey)))
    FROM relations r JOIN pg_constraint c ON conrelid = r.oid WHERE contype NOT IN ('n', 't')
  UNION ALL SELECT 'index', i.name, r.name, jsonb_build_object('definition', pg_get_indexdef(i.oid), 'unique', indisunique,
      'columns', (SELECT coalesce(jsonb_agg(r.name || '.' || attname), '[]')
        FROM pg_attribute WHERE attrelid = indrelid AND attnum = ANY(indkey)))
    FROM relations i JOIN pg_index ON indexrelid = i.oid JOIN relations r ON r.oid = indrelid
    WHERE NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = i.oid AND contype IN ('p', 'u', 'x'))
  UNION ALL SELECT 'trigger', format('%s on %s', tgname, name), name,
      jsonb_build_object('definition', pg_get_triggerdef(t.oid), 'enabled', tgenabled)
    FROM relations r JOIN pg_trigger t ON tgrelid = r.oid WHERE NOT tgisinternal
  UNION ALL SELECT 'function', name, NULL, jsonb_build_object('result', pg_get_function_result(oid),
      'definition', CASE WHEN prokind = 'a' THEN '' ELSE pg_get_functiondef(oid) END) FROM routines
  UNION ALL SELECT 'enum', name, NULL, jsonb_build_object('labels', jsonb_agg(enumlabel ORDER BY enumsortorder))
    FROM types JOIN pg_enum ON enumtypid = types.oid GROUP BY name
  UNION ALL SELECT 'domain', name, NULL, jsonb_build_object('type', format_type(typbasetype, typtypmod), 'notNull', typnotnull,
      'default', typdefault, 'checks', (SELECT coalesce(jsonb_agg(pg_get_constraintdef(oid) ORDER BY conname), '[]')
        FROM pg_constraint WHERE contypid = types.oid AND contype = 'c'))
    FROM types WHERE typtype = 'd'
  UNION ALL SELECT 'policy', format('%s on %s', polname, name), name, jsonb_build_object('permissive', polpermissive,
      'for', polcmd, 'using', pg_get_expr(polqual, polrelid), 'check', pg_get_expr(polwithcheck, polrelid),
      'roles', polroles::text)
    FROM relations r JOIN pg_policy ON polrelid = r.oid
  UNION ALL ${rightsOf('name', 'relations', 'relacl', "CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\"", 'relowner', "AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S')")}
  UNION ALL ${rightsOf('name', 'routines', 'proacl', "'f'", 'proowner')}
  UNION ALL ${rightsOf("'schema ' || nspname", 'spaces', 'nspacl', "'n'", 'nspowner')}
  UNION ALL SELECT 'right', format('%s on %s.%s to %s', privilege_type, name, attname, coalesce(rolname, 'PUBLIC')), name, '{}'
    FROM relations r JOIN pg_attribute ON attrelid = r.oid CROSS JOIN LATERAL aclexplode(attacl)
    LEFT JOIN pg_roles ON pg_roles.oid = grantee WHERE NOT attisdropped`;

/** Everything that the database holds. `schema` is the one whose name is left out of the names. */
export async function takeInventory(client: Client, schema: string): Promise<Inventory> {
  const { rows } = await client.query<Item>(INVENTORY, [schema]);
  return new Map(rows.map(item => [`${item.kind} ${item.name}`, item]));
}
