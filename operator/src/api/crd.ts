// The CustomResourceDefinition of a kind.
import { GROUP, VERSION } from './group.ts';
import type { KindDefinition } from './kinds.ts';
import { MAX_NAME_LENGTH } from './schema/common.ts';
import type { CelRule } from './schema/kubernetes.ts';
import { appStatus } from './schema/status.ts';
import { type StructuralSchema, structuralSchema } from './structural.ts';

/** Children are Services and labels: their names begin with a letter, hold no dot and end within 63 characters. */
export const NAME_RULES: readonly CelRule[] = [
  {
    rule: `self.metadata.name.size() <= ${MAX_NAME_LENGTH}`,
    message: `metadata.name must have at most ${MAX_NAME_LENGTH} characters, the names of children are made from it; choose a shorter one`,
  },
  {
    rule: "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    message:
      'metadata.name must begin with a letter and have only a-z, 0-9 and "-", a Service is named after it; choose another one',
  },
];

const conditionStatus = (type: string) => `.status.conditions[?(@.type=="${type}")].status`;
const conditionMessage = (type: string) => `.status.conditions[?(@.type=="${type}")].message`;

interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly jsonPath: string;
  readonly description: string;
  readonly priority?: number;
}

/** What `kubectl get` shows; priority 1 only with `-o wide`. */
export const PRINTER_COLUMNS: readonly PrinterColumn[] = [
  {
    name: 'Ready',
    type: 'string',
    jsonPath: conditionStatus('Ready'),
    description: 'The newest spec is released and serves.',
  },
  { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'The stage that is under way.' },
  { name: 'Image', type: 'string', jsonPath: '.status.currentImage', description: 'Image that serves users.' },
  { name: 'Replicas', type: 'integer', jsonPath: '.status.readyReplicas', description: 'Pods that are ready.' },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Since when it exists.' },
  {
    name: 'Candidate',
    type: 'string',
    jsonPath: '.status.rollout.candidate.image',
    description: 'Image that is being tried.',
    priority: 1,
  },
  {
    name: 'Rejected',
    type: 'string',
    jsonPath: '.status.rollout.rejected.image',
    description: 'Image that was refused last.',
    priority: 1,
  },
  {
    name: 'Key-rotates',
    type: 'string',
    jsonPath: '.status.keys[0].nextRotationTime',
    description: 'When the API key, or the signing key, is replaced next by the clock.',
    priority: 1,
  },
  {
    name: 'URL',
    type: 'string',
    jsonPath: '.status.publicURLs[0]',
    description: 'Where users reach it, by the load balancer’s word: the first address.',
    priority: 1,
  },
  {
    name: 'Message',
    type: 'string',
    jsonPath: conditionMessage('Ready'),
    description: 'What is going on, with figures.',
    priority: 1,
  },
];

/** The whole resource as `kubectl explain` tells it. */
export function resourceSchema(definition: KindDefinition): StructuralSchema {
  return {
    description: definition.description,
    type: 'object',
    required: ['spec'],
    'x-kubernetes-validations': NAME_RULES,
    properties: {
      apiVersion: { description: `Always ${GROUP}/${VERSION}.`, type: 'string' },
      kind: { description: `Always ${definition.kind}.`, type: 'string' },
      metadata: { type: 'object' },
      spec: structuralSchema(definition.spec),
      status: structuralSchema(appStatus),
    },
  };
}

export const crdName = (definition: KindDefinition) => `${definition.plural}.${GROUP}`;

export function customResourceDefinition(definition: KindDefinition) {
  const { kind, plural, singular, shortName } = definition;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: crdName(definition) },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames: [shortName], categories: ['devshelf'] },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: {
            status: {},
            scale: {
              specReplicasPath: '.spec.replicas',
              statusReplicasPath: '.status.replicas',
              labelSelectorPath: '.status.selector',
            },
          },
          additionalPrinterColumns: PRINTER_COLUMNS,
          schema: { openAPIV3Schema: resourceSchema(definition) },
        },
      ],
    },
  };
}
