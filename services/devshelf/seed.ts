import type { Client } from 'pg';
import * as z from 'zod';
import { seedOf } from '../common/migrate/seed.ts';
import { insertColumns, randomOf } from '../common/seeding.ts';
import { hashPassword } from './passwords.ts';

const count = (what: string, max: number, fallback: number, least = 1) =>
  z.coerce
    .number(`must be a number, ${least} to ${max}`)
    .int()
    .min(least)
    .max(max)
    .default(fallback)
    .describe(`${what}, ${least} to ${max} (${fallback})`);

const flags = z.object({
  resources: count('resources', 1_000_000, 200),
  users: count('users', 10_000, 10),
  seed: z.coerce.number('must be a whole number').int().default(1).describe('the same seed gives the same rows (1)'),
  until: z.iso
    .datetime('must be a moment in UTC like 2026-11-22T15:00:00Z')
    .optional()
    .describe('when the newest resource was added (now)'),
  password: z
    .string()
    .min(8)
    .max(128)
    .optional()
    .describe('all users log in with it; without it nobody can. For development only'),
});

/** Sample rows: a library and the people who fill it. Does nothing when there are rows already. */
export const seed = seedOf(flags, async (client, options) => {
  if (!(await isEmpty(client))) return;
  // hashed once: a hash each would take as long as everything else
  const hash = options.password === undefined ? NO_PASSWORD : await hashPassword(options.password);
  const untilMs = options.until === undefined ? Date.now() : Date.parse(options.until);
  const random = randomOf(options.seed);
  const users = Array.from({ length: options.users }, (_, index) => userOf(index, random));
  const resources = Array.from({ length: options.resources }, (_, index) => resourceOf(index, random));
  const oldestMs = untilMs - HISTORY_MS;
  const stepMs = HISTORY_MS / resources.length;
  await client.query('BEGIN');
  await insertColumns(client, 'users', [
    { name: 'id', type: 'uuid', values: users.map(({ id }) => id) },
    { name: 'username', type: 'text', values: users.map(({ username }) => username) },
    { name: 'email', type: 'text', values: users.map(({ username }) => `${username}@example.com`) },
    { name: 'hashed_password', type: 'text', values: users.map(() => hash) },
    { name: 'created_at', type: 'timestamptz', values: users.map(() => oldestMs) },
  ]);
  await insertColumns(client, 'resources', [
    { name: 'id', type: 'uuid', values: resources.map(({ id }) => id) },
    { name: 'title', type: 'text', values: resources.map(({ title }) => title) },
    { name: 'description', type: 'text', values: resources.map(({ description }) => description) },
    { name: 'url', type: 'text', values: resources.map(({ url }) => url) },
    { name: 'type', type: 'text', values: resources.map(({ type }) => type) },
    // a few people add most of it
    { name: 'owner_id', type: 'uuid', values: resources.map(() => of(users, random() ** 3).id) },
    { name: 'created_at', type: 'timestamptz', values: resources.map((_, index) => oldestMs + (index + 1) * stepMs) },
    // there is nothing behind these links: nobody shall ask for them
    { name: 'link_due_at', type: 'timestamptz', values: resources.map(() => NEVER_MS) },
  ]);
  await client.query('COMMIT');
  // the planner would learn about so many new rows only some minutes later
  await client.query('VACUUM (ANALYZE) users, resources');
});

const HISTORY_MS = 365 * 86_400_000;
const NEVER_MS = Date.UTC(2200, 0, 1);
/** Of no kind that is known, so nothing matches it. */
const NO_PASSWORD = '!';

async function isEmpty(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ some: boolean }>(
    'SELECT EXISTS (SELECT FROM users) OR EXISTS (SELECT FROM resources) AS some',
  );
  return rows[0]?.some === false;
}

/** The element at this share, 0 to below 1, of the list. */
function of<Element>(list: readonly Element[], share: number): Element {
  const element = list[Math.floor(share * list.length)];
  if (element === undefined) throw new Error('an empty list has no elements');
  return element;
}

const NAMES = [
  'ana',
  'bruno',
  'carla',
  'diego',
  'elena',
  'facundo',
  'gabriela',
  'hugo',
  'ines',
  'julian',
  'lucia',
  'mateo',
];

const userOf = (index: number, random: () => number) => ({
  id: uuid(random),
  username: `${NAMES[index % NAMES.length]}${index < NAMES.length ? '' : index}`,
});

const TOPICS = [
  'PostgreSQL',
  'TypeScript',
  'Kubernetes',
  'Redis',
  'Node.js',
  'Rust',
  'Go',
  'Python',
  'HTTP/3',
  'Git',
  'Linux',
  'SQL',
  'Docker',
  'WebAssembly',
  'OpenTelemetry',
  'OAuth 2.1',
  'CSS Grid',
  'Vim',
  'Terraform',
  'GraphQL',
];
const SUBJECTS = [
  'índices',
  'concurrencia',
  'pruebas',
  'memoria',
  'seguridad',
  'rendimiento',
  'observabilidad',
  'tipos',
  'errores',
  'despliegue',
  'redes',
  'transacciones',
  'caché',
  'migraciones',
  'colas',
  'expresiones regulares',
];
const KINDS = [
  ['article', 'Guía práctica'],
  ['video', 'Charla'],
  ['book', 'Manual'],
  ['course', 'Curso'],
  ['documentation', 'Referencia'],
  ['tool', 'Herramientas'],
] as const;

function resourceOf(index: number, random: () => number) {
  // articles are most of it
  const [type, form] = of(KINDS, random() ** 2);
  const topic = of(TOPICS, random());
  const subject = of(SUBJECTS, random());
  return {
    id: uuid(random),
    type,
    title: `${form} de ${topic}: ${subject}, parte ${index + 1}`,
    description: random() < 0.2 ? null : `${topic} de cerca: ${subject} con ejemplos que se pueden repetir.`,
    url: `https://devshelf.example/${type}/${encodeURIComponent(topic.toLowerCase())}/${index + 1}`,
  };
}

/** Version 4, but from the seed. */
function uuid(random: () => number): string {
  const hex = Array.from({ length: 4 }, () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  ).join('');
  const variant = '89ab'[Math.floor(random() * 4)];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}
