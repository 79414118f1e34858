import { verdict } from '../harness/judge.ts';
import type { Outcome, Scenario } from '../harness/scenario.ts';
import { accepted, step, wait } from '../steps/flow.ts';

const SECRETS = `FROM endpoints e WHERE e.num = s.endpoint_num AND e.id = $1`;
const TOUCH = 'UPDATE endpoints SET version = version + 1 WHERE id = $1';

export const f41: Scenario = {
  id: 'F41',
  title: 'the secret of one endpoint cannot be decrypted for 5 s',
  rows: ['F41'],
  expected: 'its deliveries wait, the others go on; once it can be read again they go out',
  steps: [
    step('a sealed secret is corrupted', async (play) => {
      const { id } = play.endpoints[0]!;
      await play.query(
        `UPDATE endpoint_secrets s SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 255) ${SECRETS}`,
        [id],
      );
      await play.query(TOUCH, [id]);
    }),
    wait(2_000),
    accepted(100),
    wait(1_000),
    step('what waits is counted', async (play) => {
      const rows: { id: string; count: number }[] = await play.query(
        `SELECT e.id, count(*)::int AS count FROM mailbox m JOIN endpoints e ON e.num = m.endpoint_num
          WHERE m.due_at < now() - interval '900 ms' GROUP BY e.id`,
      );
      const others = rows.filter(({ id }) => id !== play.endpoints[0]!.id);
      const own = rows.find(({ id }) => id === play.endpoints[0]!.id);
      play.found.push(
        verdict('its deliveries wait', (own?.count ?? 0) > 0 ? [] : ['none does'], `${own?.count} wait`),
        verdict(
          'the others go on',
          others.map(({ id, count }) => `${count} wait for ${id}`),
          'none waits',
        ),
      );
    }),
    step('the secret is restored', async (play) => {
      const { id } = play.endpoints[0]!;
      await play.query(
        `UPDATE endpoint_secrets s SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 255) ${SECRETS}`,
        [id],
      );
      await play.query(TOUCH, [id]);
      play.markHealed();
    }),
  ],
  check: async ({ play }: Outcome) => {
    const [{ dead }] = await play.query('SELECT count(*)::int AS dead FROM attempts WHERE decision = 3');
    return [verdict('no delivery was given up for it', dead === 0 ? [] : [`${dead} were`], 'none')];
  },
};
