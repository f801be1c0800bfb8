// PURE: a file and the object that is there -> the request that applying it would be. `kubectl apply` takes away what the
// file before had and this one has not; server-side apply does the same for whoever applied it last.

import { jsonOf } from '../../api/json.ts';

export type Given = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: object;
    readonly annotations?: object;
  };
  readonly spec?: object;
};

type Live = {
  readonly metadata: {
    readonly annotations?: Readonly<Record<string, string>>;
    readonly managedFields?: readonly {
      readonly manager?: string;
      readonly operation?: string;
      readonly subresource?: string;
      readonly fieldsV1?: object;
    }[];
  };
};

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

export type Applied = {
  readonly request: {
    readonly contentType: string;
    readonly body: object;
    readonly isApply: boolean;
    /** Who applied it last; absent: nobody did. */
    readonly fieldManager?: string;
  };
  /** The same as far as it can be told without the API server. */
  readonly merged: unknown;
};

export function applied(given: Given, live: Live | undefined, namespace: string): Applied {
  const { apiVersion, kind, spec } = given;
  const { name, labels, annotations } = given.metadata;
  const metadata = { name, namespace, ...(labels && { labels }), ...(annotations && { annotations }) };
  const whole = { apiVersion, kind, metadata, ...(spec && { spec }) };
  const before = objectIn(live?.metadata.annotations?.[LAST_APPLIED]);
  if (live && before) {
    const body = threeWay(before, whole);
    const request = { contentType: 'application/merge-patch+json', body, isApply: false };
    return { request, merged: mergePatched(live, body) };
  }
  const fieldManager = live?.metadata.managedFields?.find(
    ({ operation, subresource, fieldsV1 }) =>
      operation === 'Apply' && subresource === undefined && fieldsV1 !== undefined && 'f:spec' in fieldsV1,
  )?.manager;
  const request = {
    ...{ contentType: 'application/apply-patch+yaml', body: whole, isApply: true },
    ...(fieldManager !== undefined && { fieldManager }),
  };
  return { request, merged: live ? { ...live, spec } : { ...whole, metadata: { ...metadata, uid: '' } } };
}

function objectIn(text: string | undefined): object | undefined {
  const value = jsonOf(text);
  return isObject(value) ? value : undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A merge patch: all that is in `after`, and null for what was in `before` only. */
function threeWay(before: object, after: object): Record<string, unknown> {
  const old: Record<string, unknown> = { ...before };
  const gone = Object.keys(old).filter(name => !(name in after));
  return {
    ...Object.fromEntries(gone.map(name => [name, null])),
    ...Object.fromEntries(
      Object.entries(after).map(([name, value]) => [
        name,
        isObject(value) ? threeWay(isObject(old[name]) ? old[name] : {}, value) : value,
      ]),
    ),
  };
}

/** RFC 7396. */
export function mergePatched(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const base = isObject(target) ? target : {};
  const kept = Object.entries(base).filter(([name]) => patch[name] !== null);
  const changed = Object.entries(patch).filter(([, value]) => value !== null);
  return {
    ...Object.fromEntries(kept),
    ...Object.fromEntries(changed.map(([name, value]) => [name, mergePatched(base[name], value)])),
  };
}
