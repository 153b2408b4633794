// How jemalloc works in the daemon; it takes malloc's place by being linked.
//
// Records are allocated on librdkafka's threads and freed on others, thousands
// in a row: glibc's allocator took a fifth of the daemon's time for that, and
// a third more memory. MALLOC_CONF in the environment adds to these options.

// jemalloc looks for this name. Few arenas, however many cores the node has;
// what is free goes back to the system after a second, in an idle daemon too.
extern "C" const char* malloc_conf;
const char* malloc_conf = "narenas:4,dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true";
