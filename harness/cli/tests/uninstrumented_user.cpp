// Links that library; never run.
namespace uninstrumented {
int wait(int rounds);
}

int main() { return uninstrumented::wait(1); }
