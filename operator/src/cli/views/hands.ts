// PURE: a resource and what a person wants -> one patch, or why not. What lasts is written into the spec, and where a GitOps
// tool owns the spec it would be put back: refused, with the line to commit. A request is an annotation that no tool fights.
import { GATES, type Gate } from '../../api/rollout.ts';
import { ANNOTATIONS } from '../../objects/names.ts';
import { versionOf } from '../draw/lines.ts';
import { type Ask, gateAsk } from './gates.ts';
import type { Entry } from './history.ts';
import type { SeenResource } from './status.ts';

export const HANDS = [
  ...(['retry', 'pause', 'resume', 'rotate-key', 'migrate'] as const),
  ...(['promote', 'hold', 'reject', 'rollback'] as const),
] as const;
export type Hand = (typeof HANDS)[number];
export const isHand = (word: string): word is Hand => HANDS.some(hand => hand === word);

export type Deed = {
  readonly is: 'patch';
  /** A merge patch, valid for the state that was seen only. */
  readonly patch: object;
  /** For people: before -> after. */
  readonly what: string;
  /** What the operator is to answer. */
  readonly ask?: Ask;
};
export type Refusal = { readonly is: 'refused'; readonly why: string };

export type How = {
  /** Epoch milliseconds: makes a request another one than those before it. */
  readonly now: number;
  readonly scrapeToken: boolean;
  /** Although a GitOps tool applies the spec. */
  readonly anyway: boolean;
  readonly despiteEvidence: boolean;
  /** For the record. */
  readonly because?: string | undefined;
  /** Of rollback: a release's hash, version or number, and what is remembered. */
  readonly to?: { readonly release: string; readonly entries: readonly Entry[] };
};

export function handOf(hand: Hand, seen: SeenResource, how: How): Deed | Refusal {
  if (hand === 'rotate-key') return rotated(seen, how);
  if (hand === 'migrate') return migrated(seen);
  if (hand === 'rollback') return how.to ? written(seen, earlier(seen, how.to), how) : asked('reject', seen, how);
  if (isGate(hand)) return asked(hand, seen, how);
  return written(seen, hand === 'retry' ? retried(seen, how.now) : paused(seen, hand === 'pause'), how);
}

const isGate = (hand: Hand): hand is Gate => GATES.some(gate => gate === hand);

/** A request: no tool fights it. */
function asked(gate: Gate, seen: SeenResource, how: How): Deed | Refusal {
  const found = gateAsk(gate, seen, how);
  if (found.is === 'refused') return found;
  const tool = gate === 'reject' ? gitOpsOf(seen) : undefined;
  const git = tool === undefined ? '' : `; ${tool} still asks for it: bring Git up to date`;
  const annotations = { [found.annotation]: found.text };
  return { ...deed(seen, { metadata: { annotations } }, `${found.what}${git}`), ask: found };
}

/** Another spec: where a tool owns it, it would be put back, and where it does not, Git would not know of it. */
function written(seen: SeenResource, spec: Edit | Refusal, how: How): Deed | Refusal {
  if ('is' in spec) return spec;
  const tool = gitOpsOf(seen);
  if (tool !== undefined && !how.anyway) {
    const [what, until] = isItsOwn(seen, spec.patch)
      ? ['would put it back', 'until its next sync']
      : ['did not write this field', 'until you take it back, where Git does not name it'];
    const why = `${tool} applies this resource and ${what}: commit spec.${spec.line} instead, or say --anyway (${until})`;
    return { is: 'refused', why };
  }
  return deed(seen, { spec: spec.patch }, `spec.${spec.line} (before: ${spec.before})`);
}

function earlier({ spec }: SeenResource, { release, entries }: NonNullable<How['to']>): Edit | Refusal {
  const good = entries.filter(({ isIncident, what }) => !isIncident && what === 'released');
  const is = ({ hash, number, image }: Entry) => [hash, String(number), image, versionOf(image)].includes(release);
  const images = [...new Set(good.filter(is).map(({ image }) => image))];
  const [image] = images;
  if (image === undefined)
    return {
      is: 'refused',
      why: `${release}: no release of that hash, version or number served (kubectl devshelf history)`,
    };
  if (images.length > 1) return { is: 'refused', why: `${release}: ${images.join(' and ')}: say which` };
  if (image === spec?.image) return { is: 'refused', why: `the spec asks for ${image} already` };
  return { patch: { image }, line: `image: ${image}`, before: spec?.image ?? 'none' };
}

type Edit = { readonly patch: object; readonly line: string; readonly before: string };

function retried({ spec, status }: SeenResource, now: number): Edit | Refusal {
  const isRejected = status?.conditions?.some(({ reason }) => reason === 'ReleaseRejected') === true;
  if (!isRejected) return { is: 'refused', why: 'no release is rejected: there is nothing to try again' };
  const token = new Date(now).toISOString();
  const before = spec?.rollout?.retryToken ?? 'none';
  return { patch: { rollout: { retryToken: token } }, line: `rollout.retryToken: "${token}"`, before };
}

function paused({ spec }: SeenResource, wanted: boolean): Edit | Refusal {
  const before = spec?.paused === true;
  if (before === wanted) return { is: 'refused', why: `it is ${wanted ? 'paused' : 'not paused'} already` };
  return { patch: { paused: wanted }, line: `paused: ${wanted}`, before: String(before) };
}

function rotated(seen: SeenResource, { now, scrapeToken }: How): Deed {
  const name = scrapeToken ? ANNOTATIONS.rotateScrapeToken : ANNOTATIONS.rotate;
  const value = new Date(now).toISOString();
  const key = scrapeToken ? 'scrape token' : seen.kind === 'DevShelfDeployment' ? 'signing key' : 'API key';
  const what = `another ${key} is asked for (${name}=${value}); the old one is accepted until callers have the new one`;
  return deed(seen, { metadata: { annotations: { [name]: value } } }, what);
}

/** Exactly what the operator asks about: it names the id. */
function migrated(seen: SeenResource): Deed | Refusal {
  const asked = seen.status?.conditions?.find(
    ({ type, reason }) => type === 'Stalled' && reason === 'MigrationPending',
  );
  const [, id] = new RegExp(`${ANNOTATIONS.migrate}=([0-9a-f]+)`).exec(asked?.message ?? '') ?? [];
  if (id === undefined) return { is: 'refused', why: 'no migration waits for a person' };
  const what = `the migration ${id} is agreed to (${ANNOTATIONS.migrate}=${id}), and no other; ${asked?.message?.split(': annotate')[0]}`;
  return deed(seen, { metadata: { annotations: { [ANNOTATIONS.migrate]: id } } }, what);
}

function deed({ metadata }: SeenResource, change: { metadata?: object; spec?: object }, what: string): Deed {
  const { resourceVersion } = metadata;
  const own = { ...change.metadata, ...(resourceVersion !== undefined && { resourceVersion }) };
  return { is: 'patch', patch: { ...change, metadata: own }, what };
}

const MANAGERS = /^(kustomize-controller|helm-controller|argocd)/;

const writerOf = ({ metadata: { managedFields = [] } }: SeenResource) =>
  managedFields.find(({ manager = '', fieldsV1 }) => MANAGERS.test(manager) && fieldsV1?.['f:spec'] !== undefined);

/** Whether these fields of the spec are as the tool wrote them. Where only marks tell of a tool, they may be. */
function isItsOwn(seen: SeenResource, spec: object): boolean {
  const writer = writerOf(seen);
  return writer === undefined || hasFields(writer.fieldsV1?.['f:spec'], spec);
}

const hasFields = (owned: unknown, wanted: object): boolean =>
  Object.entries(wanted).every(([name, value]) => {
    const field = (owned as Readonly<Record<string, unknown>> | undefined)?.[`f:${name}`];
    return field !== undefined && (typeof value !== 'object' || hasFields(field, value));
  });

/** The tool that applies the spec, by who wrote it, or by the marks that it leaves. */
export function gitOpsOf(seen: SeenResource): string | undefined {
  const { labels = {}, annotations = {} } = seen.metadata;
  const writer = writerOf(seen);
  if (writer?.manager !== undefined) return writer.manager;
  const kustomization = labels['kustomize.toolkit.fluxcd.io/name'];
  if (kustomization !== undefined) return `Flux (Kustomization ${kustomization})`;
  const helmRelease = labels['helm.toolkit.fluxcd.io/name'];
  if (helmRelease !== undefined) return `Flux (HelmRelease ${helmRelease})`;
  return annotations['argocd.argoproj.io/tracking-id'] === undefined ? undefined : 'Argo CD';
}
