import { consuming } from './consuming.js';
import { declaring } from './declaring.js';
import { publishing } from './publishing.js';
import { reconnecting } from './reconnecting.js';
import type { LinkWorld } from './world.js';

/** The test runner's own functions. */
export interface Suite {
  readonly describe: (name: string, body: () => void) => void;
  readonly it: (name: string, body: () => Promise<void>) => void;
}

/** What every link must do, asked through the port alone. */
export function linkConformance({ describe, it }: Suite, name: string, open: () => Promise<LinkWorld>): void {
  describe(`link: ${name}`, () => {
    for (const [title, run] of Object.entries({ ...publishing, ...declaring, ...consuming, ...reconnecting })) {
      it(title, async () => {
        const world = await open();
        try {
          await run(world);
        } finally {
          await world.close();
        }
      });
    }
  });
}
