#include "unit/store/engine_fixture.h"
int main(void)
{
    return 0;
}
