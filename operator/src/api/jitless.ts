// Imported before any schema is made. zod compiles a function for each object of a schema, out of text; for the schemas of
// our resources, which are made when one does not fit (misfits.ts), that takes 9 MiB for good and half a second.
import { config } from 'zod';

config({ jitless: true });
