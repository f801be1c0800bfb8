// The two kinds as the API server knows them. Everything that is said once per kind is a line here.
import type * as z from 'zod';
import { DASHBOARD, DEVSHELF, type KindNames } from './group.ts';
import { dashboardSpec } from './schema/dashboard.ts';
import { devshelfSpec } from './schema/devshelf.ts';

export interface KindDefinition extends KindNames {
  readonly description: string;
  readonly spec: z.ZodType;
  /** The smallest spec that is of use; shown in the reference and applied by the tests. */
  readonly smallestSpec: Readonly<Record<string, unknown>>;
}

export const KINDS: readonly KindDefinition[] = [
  {
    ...DEVSHELF,
    description: 'A DevShelf API with its worker: migrated first, tried on a few requests, taken back if it is bad.',
    spec: devshelfSpec,
    smallestSpec: {
      image: 'registry.example/devshelf-api:2.4.1',
      database: { urlSecretRef: { name: 'devshelf-db' } },
      redis: { urlSecretRef: { name: 'devshelf-redis' } },
    },
  },
  {
    ...DASHBOARD,
    description: 'A Dashboard Mini Market: migrated first, tried on a few requests, taken back if it is bad.',
    spec: dashboardSpec,
    smallestSpec: {
      image: 'registry.example/dashboard:1.0.0',
      database: { urlSecretRef: { name: 'dashboard-db' } },
    },
  },
];
