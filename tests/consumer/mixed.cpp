void wait_for_real();
void call_it() { wait_for_real(); }
