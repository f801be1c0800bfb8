// A slice of `schedules.campaign.ts`: always the same ones.
import { scheduleTests } from './testing/schedules.ts';

scheduleTests({ seed: 1, schedules: 6 });
