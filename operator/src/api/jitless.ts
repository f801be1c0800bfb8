// Imported before any schema is made. zod compiles a function for each object of a schema, out of text; for schemas of
// this size that takes 9 MiB for good and half a second at the start, and saves 15 microseconds of each pass.
import { config } from 'zod';

config({ jitless: true });
