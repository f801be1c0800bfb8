// The group and its two kinds by name: all that a client needs to ask for them. What they are made of is in kinds.ts, whose
// schemas cost a command of the CLI more than everything else in it.
import type { AppKind } from './resource.ts';

export const GROUP = 'apps.devshelf.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

export interface KindNames {
  readonly kind: AppKind;
  readonly plural: string;
  readonly singular: string;
  readonly shortName: string;
}

export const DEVSHELF: KindNames = {
  kind: 'DevShelfDeployment',
  plural: 'devshelfdeployments',
  singular: 'devshelfdeployment',
  shortName: 'dsd',
};
export const DASHBOARD: KindNames = {
  kind: 'DashboardDeployment',
  plural: 'dashboarddeployments',
  singular: 'dashboarddeployment',
  shortName: 'dbd',
};
export const KIND_NAMES: readonly KindNames[] = [DEVSHELF, DASHBOARD];

/** How the API server is asked for them. */
export const asResource = ({ kind, plural }: KindNames) => ({
  apiVersion: API_VERSION,
  kind,
  plural,
  namespaced: true,
});
