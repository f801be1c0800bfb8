// Anything in any order, for as long as you like.
//   SCHEDULES=200 SEED=7   so many, of this seed      ONLY=12   the one of this number alone
import { scheduleTests } from './testing/schedules.ts';

scheduleTests({
  seed: Number(process.env['SEED'] ?? Date.now() % 1_000_000),
  schedules: Number(process.env['SCHEDULES'] ?? 40),
});
