// A record as a message of each format. All say which cluster and namespace; none is longer than 4 KiB.
import { GROUP } from '../../api/group.ts';
import type { GroupFigures } from '../../api/incident.ts';
import { versionOf } from '../snapshot.ts';
import type { News, NewsKind } from './news.ts';
import type { Sink } from './sinks.ts';

export interface Message {
  readonly contentType: string;
  readonly body: string;
}

/** What a message says beside its record. */
export interface Setting {
  readonly cluster: string;
  /** Where the pages of docs/ are; absent: the command alone. */
  readonly docsUrl?: string | undefined;
}

export const MAX_MESSAGE_BYTES = 4_096;
/** What a reader takes in at a glance; the record has all of it. */
const SHORT = 300;

/** Undefined where even the shortest is longer than {@link MAX_MESSAGE_BYTES}: a template is to blame. */
export function messageFor(sink: Sink, news: News, setting: Setting): Message | undefined {
  const short = { ...news, message: cut(news.message), data: shortened(news.data) };
  return [news, short, { ...short, data: bare(short) }].map(form => formed(sink, form, setting)).find(fits);
}

const fits = ({ body }: Message): boolean => Buffer.byteLength(body) <= MAX_MESSAGE_BYTES;
const cut = (text: string): string => (text.length > SHORT ? `${text.slice(0, SHORT - 1)}…` : text);

/** Without what is a detail of the cause. */
function shortened(data: object): object {
  const { cause, message } = data as { cause?: { message: string }; message?: string };
  return {
    ...data,
    ...(cause && { cause: { message: cut(cause.message) } }),
    ...(message !== undefined && { message: cut(message) }),
    shortened: true,
  };
}

const bare = ({ reason, at, message, release, serves }: News): object => ({
  ...{ schema: 1, reason, at, cause: { message }, failed: release },
  ...(serves && { restored: serves }),
  shortened: true,
});

function formed(sink: Sink, news: News, setting: Setting): Message {
  switch (sink.format) {
    case 'slack':
      return json({ text: lines(news, setting).map(escaped).join('\n') });
    case 'cloudevents':
      return { contentType: 'application/cloudevents+json; charset=utf-8', body: JSON.stringify(event(news, setting)) };
    case 'generic':
      return { contentType: JSON_TYPE, body: filled(sink.template ?? '', fieldsOf(news, setting)) };
  }
}

const JSON_TYPE = 'application/json; charset=utf-8';
const json = (body: object): Message => ({ contentType: JSON_TYPE, body: JSON.stringify(body) });

/** Slack’s three characters; and nothing that stands in a record calls a whole channel, in Mattermost either. */
const escaped = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/@(?=all|channel|here|everyone)/gi, '@\u200b');

const DID: Readonly<Record<NewsKind, string>> = {
  'rolled-back': 'was taken back',
  rejected: 'was refused before it served anybody',
  held: 'waits for a person',
  outage: 'fails with what it depends on: the release is not to blame',
  keys: 'serves on, and a key cannot be replaced',
  released: 'is released',
};

/** What, figures, what serves, the way forward. */
function lines(news: News, setting: Setting): readonly string[] {
  return [headline(news, setting), figures(news), serving(news), forward(news, setting)];
}

function headline({ kind, resource, release, reason, decidedBy }: News, { cluster }: Setting): string {
  const by = decidedBy && decidedBy.who !== 'operator' ? `, by ${decidedBy.who}` : '';
  const said = decidedBy?.text === undefined ? '' : ` (${cut(decidedBy.text)})`;
  const why = kind === 'released' ? '' : `: ${reason}`;
  return `${cluster} ${resource.namespace}/${resource.name}: ${versionOf(release.image)} ${DID[kind]}${why}${by}${said}`;
}

function figures({ message, figures: seen }: News): string {
  const p95 = [of(seen?.candidate, 'p95'), of(seen?.baseline, 'the pods beside it')].filter(Boolean);
  return [message, ...(p95.length > 0 ? [p95.join(', ')] : [])].join('; ');
}

const of = (group: GroupFigures | undefined, whose: string): string =>
  group?.p95Ms === undefined ? '' : `${whose} ${group.p95Ms} ms`;

function serving({ kind, serves }: News): string {
  if (!serves) return kind === 'rolled-back' || kind === 'rejected' ? 'Nothing served before it.' : '';
  return `${versionOf(serves.image)} serves.`;
}

function forward({ resource, reason, kind }: News, { docsUrl }: Setting): string {
  const command = commandFor({ resource, kind });
  return docsUrl === undefined || kind === 'released'
    ? command
    : `${command}   ${docsUrl.replace(/\/$/, '')}/reasons.md#${reason.toLowerCase()}`;
}

function commandFor({ resource: { namespace, name }, kind }: Pick<News, 'resource' | 'kind'>): string {
  const verb = VERBS[kind] ?? 'why';
  return `kubectl devshelf ${verb} ${name} -n ${namespace}`;
}

const VERBS: Readonly<Partial<Record<NewsKind, string>>> = { released: 'history', keys: 'keys' };

const TYPES: Readonly<Record<NewsKind, string>> = {
  'rolled-back': 'dev.devshelf.release.rolled-back',
  rejected: 'dev.devshelf.release.rejected',
  held: 'dev.devshelf.release.held',
  outage: 'dev.devshelf.dependency.degraded',
  keys: 'dev.devshelf.rotation.held',
  released: 'dev.devshelf.release.released',
};

/**
 * CloudEvents 1.0, structured mode. `source` and `id` are the same however often it is sent: a receiver may drop the
 * second. A release that is found good twice is two events, as the time in its id says.
 */
function event({ kind, resource, record, release, at, data }: News, { cluster }: Setting): object {
  const { namespace, name } = resource;
  const id = `${record.name}.${record.uid}`;
  return {
    specversion: '1.0',
    id: kind === 'released' ? `${id}.${Date.parse(at)}` : id,
    source: `devshelf://${cluster}/apis/${GROUP}/namespaces/${namespace}/${resource.kind.toLowerCase()}s/${name}`,
    type: TYPES[kind],
    subject: release.hash,
    time: at,
    datacontenttype: 'application/json',
    data: { cluster, namespace, resource: { kind: resource.kind, name }, record: record.name, ...data },
  };
}

/** What a template may name. */
export const FIELDS = [
  ...(['text', 'headline', 'message', 'serves', 'command'] as const),
  ...(['cluster', 'namespace', 'kind', 'name', 'event', 'reason', 'at', 'record'] as const),
  ...(['image', 'servingImage'] as const),
] as const;
type Fields = Readonly<Record<(typeof FIELDS)[number], string>>;

function fieldsOf(news: News, setting: Setting): Fields {
  const { resource, release, serves } = news;
  return {
    text: lines(news, setting).join('\n'),
    headline: headline(news, setting),
    message: news.message,
    serves: serving(news),
    command: commandFor(news),
    cluster: setting.cluster,
    namespace: resource.namespace,
    kind: resource.kind,
    name: resource.name,
    event: news.kind,
    reason: news.reason,
    at: news.at,
    record: news.record.name,
    image: release.image,
    servingImage: serves?.image ?? '',
  };
}

const PLACE = /\{\{\s*([A-Za-z]+)\s*\}\}/g;

/** Values go into strings of JSON: whatever is in them, they stay there. */
const filled = (template: string, fields: Fields): string =>
  template.replace(PLACE, (_place, field: string) => JSON.stringify(fields[field as keyof Fields] ?? '').slice(1, -1));

/** What is wrong with a template, without its text: a token may stand in it. */
export function faultOfTemplate(template: string): string | undefined {
  const unknown = [...template.matchAll(PLACE)].map(([, field = '']) => field).filter(field => !isField(field));
  if (unknown.length > 0) return `{{${unknown[0]}}} is not known; there are ${FIELDS.join(', ')}`;
  // where a place is no part of a string, one of these breaks the JSON
  const samples = ['x', '1"'].map(sample => Object.fromEntries(FIELDS.map(field => [field, sample])) as Fields);
  return samples.every(sample => isJson(filled(template, sample)))
    ? undefined
    : 'write JSON, with the {{fields}} inside of its strings, for example {"text": "{{text}}"}';
}

const isField = (name: string): boolean => FIELDS.some(field => field === name);

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
