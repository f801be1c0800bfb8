// How a zod schema says what only Kubernetes understands: the marks are copied into the CRD by generate.ts as they are.
import * as z from 'zod';

/** One rule of `x-kubernetes-validations`. The API server puts the field's path before the message. */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
  /** A CEL expression giving the message with the refused value. Of no use for numbers: string(int) breaks the cost limit. */
  readonly messageExpression?: string;
  /** The field to blame, below the one that carries the rule. */
  readonly fieldPath?: string;
}

/** Attaches CEL rules and, if the rules are the last thing said about a field, its description. */
export const rules = (description: string, ...celRules: readonly CelRule[]) => ({
  description,
  'x-kubernetes-validations': celRules,
});

/** A list that server-side apply merges by the given key instead of replacing it as a whole. */
export const mapList = (key: string) => ({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] });

/** An object whose schema Kubernetes itself owns: taken over as it is. */
export const foreignObject = () =>
  z.record(z.string(), z.unknown()).meta({ 'x-kubernetes-preserve-unknown-fields': true });

/** A quantity as Kubernetes writes it: `100m`, `128Mi`, or a whole number. */
export const quantity = () =>
  z.union([z.int(), z.string().max(32)]).meta({
    'x-kubernetes-int-or-string': true,
    pattern:
      '^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$',
  });

/** A Kubernetes object's own name (RFC 1123 subdomain). */
export const objectName = () =>
  z
    .string()
    .min(1)
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);

/** Names of namespaces, each once. */
export const namespaceList = (defaults: readonly string[]) =>
  z
    .array(
      z
        .string()
        .min(1)
        .max(63)
        .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/),
    )
    .max(32)
    .default([...defaults])
    .meta({ 'x-kubernetes-list-type': 'set' });

/** Seconds, counted in whole ones. */
export const seconds = (min: number, max: number) => z.int().min(min).max(max);

const MAX_ENTRIES = 64;

/** Labels or annotations. */
export const stringMap = (maxValue: number) =>
  z.record(z.string(), z.string().max(maxValue)).meta({ maxProperties: MAX_ENTRIES });
