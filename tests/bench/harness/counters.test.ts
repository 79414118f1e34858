import { expect, test } from 'vitest';
import { parseCommandCalls, parseRedisCpuMs } from './counters.ts';

test('the commands of Redis are added up, without the INFO that asks for them', () => {
  const info =
    '# Commandstats\r\ncmdstat_evalsha:calls=12,usec=3,usec_per_call=0.25\r\ncmdstat_info:calls=5,usec=1\r\ncmdstat_client|setname:calls=3,usec=1\r\n';
  expect(parseCommandCalls(info)).toBe(15);
});

test('the CPU time of Redis is that of its threads, without its children', () => {
  const info =
    '# CPU\r\nused_cpu_sys:1.5\r\nused_cpu_user:2.25\r\nused_cpu_sys_children:9\r\nused_cpu_user_children:9\r\nused_cpu_sys_main_thread:1.4\r\n';
  expect(parseRedisCpuMs(info)).toBe(3_750);
});
