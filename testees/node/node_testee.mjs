// The npm libraries that stand behind Assay's contracts:
//
//     assay run --testee 'node testees/node/node_testee.mjs'
import { serve } from './lib/testee.mjs';
import * as async_mutex from './adapters/async_mutex.mjs';
import * as bottleneck from './adapters/bottleneck.mjs';
import * as fastq from './adapters/fastq.mjs';
import * as nodeguy_channel from './adapters/nodeguy_channel.mjs';
import * as p_limit from './adapters/p_limit.mjs';
import * as p_queue from './adapters/p_queue.mjs';
import * as promise_all_settled from './adapters/promise_all_settled.mjs';
import * as promise_race from './adapters/promise_race.mjs';

serve({
  name: 'node',
  subjects: [
    ...p_queue.subjects, ...p_limit.subjects, ...bottleneck.subjects, ...fastq.subjects, ...nodeguy_channel.subjects,
    ...async_mutex.subjects, ...promise_all_settled.subjects, ...promise_race.subjects,
  ],
});
