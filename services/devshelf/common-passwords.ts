// A module of its own: in a bundle CommonJS that is imported late has no exports but the default.
import { dictionary } from '@zxcvbn-ts/language-common';

export const COMMON_PASSWORDS: ReadonlySet<string> = new Set(dictionary['passwords-common']);
