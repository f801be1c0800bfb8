export * from './common.ts';
export * from './conditions.ts';
export * from './dashboard.ts';
export * from './devshelf.ts';
export * from './reasons.ts';
export * from './resource.ts';
export * from './status.ts';
