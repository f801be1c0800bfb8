// A module of its own: in a bundle CommonJS that is imported late has no exports but the default.
export { parseDocument } from 'yaml';
