import { type Verdict, verdict } from './judge.ts';
import type { Play } from './play.ts';

/** What producers see of api processes that stop as they should. */
export function checkAnswers({ history, client }: Pick<Play, 'history' | 'client'>): Verdict[] {
  const text = `${history.lostAnswers} answers lost, ${history.unanswered} posts without an answer in all`;
  return [
    verdict('what was stored was answered', history.lostAnswers === 0 ? [] : [text], text),
    // One that the system took just as the listener closed was never accepted: it is reset, and was no request yet.
    verdict(
      'no connection in use was closed under a client',
      client.brokenReuses === 0 ? [] : [`${client.brokenReuses} connections; ${text}`],
      text,
    ),
  ];
}
