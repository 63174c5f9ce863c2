import { conformanceOnRabbit } from '../conformance/on-rabbitmq.js';

conformanceOnRabbit('4');
