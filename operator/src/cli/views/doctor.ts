// PURE: what was asked -> checks, each with what to do about it. What cannot be known is `?`, never a pass.
import type { Apis, OptionalKind } from '../../api/optional-apis.ts';
import { REASONS } from '../../api/reasons.ts';
import { type SeenResource, shortOf } from './status.ts';

export type Known<T> = { readonly known: true; readonly value: T } | { readonly known: false; readonly why: string };
export type SeenLease = { readonly holder: string; readonly renewedAt?: string };
export type SeenOperator = {
  readonly name: string;
  readonly image: string;
  readonly ready: number;
  readonly version?: string;
};

export type DoctorFacts = {
  /** Epoch milliseconds. */
  readonly now: number;
  readonly namespace: string;
  readonly server: Known<string>;
  /** Kinds of ours. */
  readonly served: Known<readonly string[]>;
  readonly apis: Apis;
  readonly rights: readonly {
    readonly command: string;
    readonly lacks: readonly string[];
    readonly unknown: boolean;
  }[];
  readonly resources: Known<readonly SeenResource[]>;
  /** Which installation works in the namespace. */
  readonly inCharge: Known<SeenLease | undefined>;
  /** Where the operator is looked for. */
  readonly place: string;
  readonly operator: Known<SeenOperator | undefined>;
  readonly leader: Known<SeenLease | undefined>;
  readonly missing: readonly {
    readonly resource: { readonly kind: string; readonly name: string };
    readonly of: string;
    readonly name: string;
  }[];
};

export type Check = {
  readonly is: 'ok' | 'bad' | 'unknown' | 'advice';
  readonly what: string;
  readonly message: string;
  readonly remedy?: string;
};

const OLDEST_MINOR = 31;
const LEASE_MS = 15_000;

/** @param version of this program */
export function doctorView(facts: DoctorFacts, version: string): readonly Check[] {
  return [
    server(facts),
    kinds(facts),
    operator(facts, version),
    leader(facts),
    inCharge(facts),
    ...rights(facts),
    optionalKinds(facts),
    ...resources(facts),
  ];
}

type Words = { readonly message: string; readonly remedy?: string };
const ok = (what: string, message: string): Check => ({ is: 'ok', what, message });
const bad = (what: string, { message, remedy }: Words): Check => ({
  ...{ is: 'bad', what, message },
  ...(remedy !== undefined && { remedy }),
});
const unknown = (what: string, message: string): Check => ({ is: 'unknown', what, message });

function server({ server: read }: DoctorFacts): Check {
  const what = 'API server';
  if (!read.known) return unknown(what, read.why);
  const minor = Number(/^v1\.(\d+)/.exec(read.value)?.[1]);
  if (Number.isNaN(minor)) return unknown(what, read.value);
  return minor >= OLDEST_MINOR
    ? ok(what, read.value)
    : bad(what, { message: read.value, remedy: `Kubernetes 1.${OLDEST_MINOR} or newer is wanted` });
}

function kinds({ served }: DoctorFacts): Check {
  const what = 'kinds';
  if (!served.known) return unknown(what, served.why);
  if (served.value.length === 2) return ok(what, `${served.value.join(' and ')} are served`);
  return bad(what, {
    message: `${served.value.length} of 2 are served`,
    remedy: 'install the CRDs: docs/install.md, kubectl apply --server-side -f crds/',
  });
}

function operator({ operator: read, place }: DoctorFacts, version: string): Check {
  const what = 'operator';
  if (!read.known) return unknown(what, read.why);
  const found = read.value;
  if (!found) return bad(what, { message: `none in ${place}`, remedy: 'install it: docs/install.md' });
  const named = `${found.image}, ${found.ready} ready`;
  if (found.ready === 0)
    return bad(what, { message: named, remedy: `kubectl -n ${place} describe deployment ${found.name}` });
  if (found.version === undefined || minorOf(found.version) === minorOf(version)) return ok(what, named);
  return {
    ...{ is: 'advice', what, message: `${named}: version ${found.version}, this is ${version}` },
    remedy: 'use the kubectl-devshelf of the operator’s version: a plan may be told wrong by another one',
  };
}

const minorOf = (version: string): string => version.split('.').slice(0, 2).join('.');

function leader({ leader: read, place, now }: DoctorFacts): Check {
  const what = 'leader';
  if (!read.known) return unknown(what, read.why);
  const { holder = '', renewedAt } = read.value ?? {};
  if (renewedAt === undefined)
    return unknown(what, `no Lease in ${place}: one operator without leader election, or none`);
  const age = now - Date.parse(renewedAt);
  const words = `${holder === '' ? 'nobody' : holder}, renewed ${Math.max(0, Math.round(age / 1000))} s ago`;
  if (age < LEASE_MS) return ok(what, words);
  return bad(what, {
    message: words,
    remedy: `no operator works, or its clock is not this one: kubectl -n ${place} get pods`,
  });
}

function inCharge({ inCharge: read, namespace }: DoctorFacts): Check {
  const what = 'in charge';
  if (!read.known) return unknown(what, read.why);
  const { holder = '' } = read.value ?? {};
  if (holder !== '') return ok(what, `${holder} works in ${namespace}`);
  const remedy = `let it watch the namespace (WATCH_NAMESPACES, and a RoleBinding: docs/install.md)`;
  return bad(what, { message: `no operator has said that it works in ${namespace}`, remedy });
}

/** One line for all that is allowed, one for each right that is not. */
function rights({ rights: all, namespace }: DoctorFacts): Check[] {
  const what = 'your rights';
  const free = all.filter(({ lacks, unknown: isUnknown }) => lacks.length === 0 && !isUnknown);
  const lacking = all.filter(({ lacks }) => lacks.length > 0);
  const unread = all.filter(({ unknown: isUnknown }) => isUnknown);
  return [
    ...(free.length > 0 ? [ok(what, `whole: ${free.map(({ command }) => command).join(', ')}`)] : []),
    ...lacking.map(({ command, lacks }): Check => {
      const message = `${command} lacks ${lacks.join(', ')}`;
      return {
        is: 'advice',
        what,
        message,
        remedy: `ask whoever gives rights in ${namespace}; without it ${command} says less, or nothing`,
      };
    }),
    ...(unread.length > 0 ? [unknown(what, `not known of ${unread.map(({ command }) => command).join(', ')}`)] : []),
  ];
}

function optionalKinds({ apis }: DoctorFacts): Check {
  const of = (wanted: string) => (Object.keys(apis) as OptionalKind[]).filter(kind => apis[kind] === wanted);
  const parts = [
    ['there', of('present')],
    ['not there', of('absent')],
    ['not known', of('refused')],
  ] as const;
  const message = parts
    .filter(([, found]) => found.length > 0)
    .map(([word, found]) => `${word}: ${found.join(', ')}`)
    .join('; ');
  return { is: of('refused').length > 0 ? 'unknown' : 'ok', what: 'optional kinds', message };
}

function resources({ resources: read, missing, namespace, now }: DoctorFacts): Check[] {
  if (!read.known) return [unknown('resources', read.why)];
  if (read.value.length === 0) return [ok('resources', `none in ${namespace}`)];
  return read.value.flatMap(seen => {
    const what = shortOf({ kind: seen.kind, name: seen.metadata.name });
    const lacks = missing.filter(({ resource }) => resource.kind === seen.kind && resource.name === seen.metadata.name);
    const found = [
      ...unseen(what, seen, now),
      ...lacks.map(({ of, name }) =>
        bad(what, {
          message: `${of} ${name} is named by the spec and not there`,
          remedy: `make it in ${namespace}; the release goes on by itself then`,
        }),
      ),
      ...conditions(what, seen),
    ];
    return [...(found.length > 0 ? found : [ok(what, 'nothing stands in its way')]), ...advice(what, seen)];
  });
}

/** Applied, and after so long not looked at. */
const UNSEEN_MS = 30_000;

function unseen(what: string, { metadata, status = {} }: SeenResource, now: number): Check[] {
  const { generation = 0, managedFields = [] } = metadata;
  if ((status.observedGeneration ?? -1) >= generation) return [];
  const times = managedFields.flatMap(({ time, fieldsV1 }) =>
    time !== undefined && fieldsV1?.['f:spec'] !== undefined ? [Date.parse(time)] : [],
  );
  const since = now - Math.max(0, ...times);
  if (since < UNSEEN_MS) return [unknown(what, 'the operator has not looked at its newest spec yet')];
  return [
    bad(what, {
      message: 'the operator has not looked at its newest spec',
      remedy: 'it is not running, or does not watch this namespace: see operator, leader and in charge above',
    }),
  ];
}

/** In the operator’s own words; what is under way stands in nobody’s way. */
function conditions(what: string, { status = {} }: SeenResource): Check[] {
  const all = status.conditions ?? [];
  const wrong = all.filter(({ type, status: is }) =>
    type === 'Stalled' ? is === 'True' : is === 'False' && type !== 'Ready',
  );
  const said = new Set<string>();
  return wrong.flatMap(({ type, reason = '?', message = '' }) => {
    if (said.has(`${reason} ${message}`)) return [];
    said.add(`${reason} ${message}`);
    const means = Object.entries(REASONS).find(([known]) => known === reason)?.[1];
    const remedy = `docs/reasons.md#${reason.toLowerCase()}${means === undefined ? '' : `: ${means}`}`;
    return [bad(what, { message: `${type}: ${reason}: ${message}`, remedy })];
  });
}

const SHORT_BAKE_SECONDS = 300;

function advice(what: string, { spec = {} }: SeenResource): Check[] {
  const { image = '', replicas, autoscaling, rollout = {} } = spec;
  const say = (message: string, remedy: string): Check => ({ is: 'advice', what, message, remedy });
  return [
    ...(/(^|\/)[^/:@]+$|:latest$/.test(image)
      ? [say(`image ${image}`, 'name a version or a digest: who knows what runs can go back to it')]
      : []),
    ...(replicas === 1 && autoscaling === undefined
      ? [say('replicas: 1', 'with two no node that restarts is an outage, and a candidate has somebody beside it')]
      : []),
    ...(rollout.smokeTests?.length === 0
      ? [say('no smokeTests', 'docs/how-to/smoke-tests.md: a fault is found before a user meets it')]
      : []),
    ...((rollout.bakeSeconds ?? SHORT_BAKE_SECONDS) < SHORT_BAKE_SECONDS
      ? [say(`bakeSeconds: ${rollout.bakeSeconds}`, 'a leak, or an hourly job, is not seen in so short a time')]
      : []),
  ];
}
